"""Groups: clusters in order of size, each with its medoid."""

from dataclasses import dataclass

import numpy as np

from dtst_flow.cluster.density import labels


@dataclass(frozen=True)
class Group:
    """One cluster.

    members    (m,) int, rows of the embeddings, nearest to the medoid first
    distances  (m,) float64, their cosine distances to the medoid; members[0] is it
    """

    members: np.ndarray
    distances: np.ndarray


def group(
    vectors: np.ndarray,
    min_cluster_size: int,
    min_samples: int,
    same: float | None = None,
) -> tuple[list[Group], np.ndarray]:
    """Cluster unit vectors; equal input gives equal output, ties go by row number.

    vectors  (n, d) float32, rows of length 1
    same     cosine distance within which two images show the same thing; with it,
             images of one single identity, in which HDBSCAN sees no cluster, make one

    Returns the groups, the largest first, and (k,) int rows that are noise.
    """
    assigned = labels(vectors, min_cluster_size, min_samples)
    groups = _groups(vectors, assigned)
    if not groups and same is not None:
        # As a euclidean distance of unit vectors.
        within = float(np.sqrt(2 * same))
        assigned = labels(vectors, min_cluster_size, min_samples, within)
        single = _groups(vectors, assigned)
        if len(single) == 1 and np.median(single[0].distances) <= same:
            groups = single
    grouped = np.concatenate([g.members for g in groups]) if groups else []
    return groups, np.setdiff1d(np.arange(len(vectors)), grouped)


def _groups(vectors: np.ndarray, assigned: np.ndarray) -> list[Group]:
    groups = [
        _around_medoid(vectors, np.flatnonzero(assigned == label))
        for label in np.unique(assigned[assigned >= 0])
    ]
    return sorted(groups, key=lambda g: (-len(g.members), g.members[0]))


def _around_medoid(vectors: np.ndarray, members: np.ndarray) -> Group:
    """Order members by distance to the medoid, the one nearest to all the others.

    For unit vectors the mean cosine distance to all is one product with their sum.
    """
    rows = vectors[members].astype(np.float64)
    medoid = np.argmax((rows @ rows.sum(axis=0)).round(9))
    distances = np.maximum(0.0, 1.0 - rows @ rows[medoid])
    distances[medoid] = 0.0
    # The medoid leads even its exact duplicates.
    order = np.lexsort((members, np.arange(len(members)) != medoid, distances.round(9)))
    return Group(members[order], distances[order])
