"""Pairs: two images that stand out from all others, and are not just nearest by chance."""

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan import Clustering

STANDING_OUT = 0.8
"""How far apart two images are that make a cluster, as a part of the distance to a third.

The more images there are, the nearer is some stranger to each: a limit on the distance
alone would have to be another for every dataset. Among 974 recognisable faces of labelled
photos (arcface), people with 1 to 4 each, 93.7 % of the pairs of one person were found
without this rule and 92.8 % with it, but 2 pairs of strangers instead of 9.
"""


def distinct(
    clusters: list[NDArray[np.intp]], clustering: Clustering
) -> list[NDArray[np.intp]]:
    """Leave out the pairs that do not stand out; larger clusters stay.

    Args:
        clusters: The rows of each cluster, ascending.
        clustering: What they were selected from, with `min_samples` 1: there the heights
            of its tree are distances.

    Returns:
        The rows of each cluster that stays.
    """
    linkage, m = clustering.linkage, len(clustering.usable)
    joined = np.full(m + len(linkage), np.inf)  # the height at which each part joins
    joined[linkage[:, :2].astype(np.intp)] = linkage[:, 2:3]
    lines = np.flatnonzero(linkage[:, 3] == 2)
    # Squared, the distances of unit vectors are twice their cosine distances.
    weak = linkage[lines, 2] ** 2 > STANDING_OUT * joined[m + lines] ** 2
    rows = clustering.usable[linkage[lines[weak], :2].astype(np.intp)]
    pairs = set(map(tuple, np.sort(rows).tolist()))
    return [c for c in clusters if len(c) != 2 or tuple(c.tolist()) not in pairs]
