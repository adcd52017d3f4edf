"""Images in noise that are alike, and how far apart images of one kind are."""

import numpy as np

from dtst_flow.review.clustering import Clustering
from dtst_flow.review.facts import Facts

MOST = 200
"""Most sets of images that are shown."""

TIGHT = 0.9
"""Of the reach of a clustering, how far images of a set are apart at most."""


def reach(clustering: Clustering, facts: Facts) -> float:
    """The cosine distance within which two images most often show the same.

    That of the clustering; of a model without one, what holds within its clusters: two
    members are about twice as far from each other as from their centre.
    """
    given = clustering.parameters.get("max_distance")
    if given is not None:
        return float(given)
    return 2 * float(np.median(facts.spreads)) if len(facts.spreads) else 0.0


def alike(clustering: Clustering, facts: Facts) -> list[list[int]]:
    """Sets of images in noise, each near to one of them; the largest sets first."""
    limit = TIGHT * reach(clustering, facts)
    near = facts.alike.distances <= limit
    taken: set[int] = set()
    sets = []
    for i in np.argsort(-near.sum(axis=1), kind="stable").tolist():
        if i in taken:
            continue
        those = [int(j) for j in facts.alike.which[i][near[i]] if int(j) not in taken]
        if those:
            taken |= {i, *those}
            sets.append([int(facts.singles[j]) for j in (i, *those)])
    return sorted(sets, key=lambda numbers: -len(numbers))[:MOST]
