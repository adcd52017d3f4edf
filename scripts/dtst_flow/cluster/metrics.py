"""How well clusters match known identities."""

from collections import Counter
from collections.abc import Hashable, Sequence


def bcubed(
    found: Sequence[Hashable | None], known: Sequence[Hashable]
) -> tuple[float, float, float]:
    """BCubed precision, recall and F (Bagga & Baldwin 1998), each from 0 to 1.

    found  the cluster of each item, None for noise: an item of its own
    known  the identity of each item

    Precision is, for the average item, the share of its cluster that has its identity;
    recall the share of its identity that is in its cluster; F their harmonic mean.
    """
    clusters = [("noise", i) if c is None else c for i, c in enumerate(found)]
    together = Counter(zip(clusters, known, strict=True))
    cluster_sizes, identity_sizes = Counter(clusters), Counter(known)
    pairs = list(zip(clusters, known, strict=True))
    precision = sum(together[p] / cluster_sizes[p[0]] for p in pairs) / len(pairs)
    recall = sum(together[p] / identity_sizes[p[1]] for p in pairs) / len(pairs)
    return precision, recall, 2 * precision * recall / (precision + recall)
