"""How well clusters match known identities."""

from collections import Counter
from collections.abc import Hashable, Sequence


def bcubed(
    labels: Sequence[Hashable | None], identities: Sequence[Hashable]
) -> tuple[float, float, float]:
    """BCubed precision, recall and F (Bagga & Baldwin 1998), each from 0 to 1.

    Precision is, for the average item, the share of its cluster that has its identity;
    recall the share of its identity that is in its cluster; F their harmonic mean.

    Args:
        labels: The cluster of each item, None for noise: a cluster of its own.
        identities: The true identity of each item.
    """
    clusters = [("noise", i) if c is None else c for i, c in enumerate(labels)]
    pairs = list(zip(clusters, identities, strict=True))
    together = Counter(pairs)
    cluster_sizes, identity_sizes = Counter(clusters), Counter(identities)
    precision = sum(together[p] / cluster_sizes[p[0]] for p in pairs) / len(pairs)
    recall = sum(together[p] / identity_sizes[p[1]] for p in pairs) / len(pairs)
    return precision, recall, 2 * precision * recall / (precision + recall)
