"""A ceiling on distances, so that a cluster holds no strangers.

HDBSCAN herds identities of few images each into clusters of their own, as in sparse
regions even strangers are comparatively near. Below a distance at which two images can
show the same identity there is no such cluster.
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster

from dtst_flow.cluster.hdbscan import Clustering


def split_far(
    vectors: np.ndarray,
    found: Clustering,
    max_distance: float,
    min_cluster_size: int,
) -> list[np.ndarray]:
    """Leave of each cluster what keeps together below a cosine distance.

    vectors       (n, d) float32, rows of length 1, of which `found` was made
    max_distance  in the single-linkage tree, parts of a cluster that join only above it
                  come apart; those of `min_cluster_size` rows stay clusters

    Of the smaller parts those rows stay that are as near to the centre of a part: its
    mean is a surer measure than the nearest single row. On 524 labelled portraits
    (ArcFace, 0.6) that raised BCubed recall from .903 to .915 and let no stranger in.

    Returns the rows of every cluster, ascending.
    """
    if not found.clusters:
        return []
    # As a euclidean distance of unit vectors.
    parts = np.full(len(vectors), -1)
    ceiling = np.sqrt(2 * max_distance)
    parts[found.usable] = fcluster(found.linkage, ceiling, "distance")
    kept = []
    for rows in found.clusters:
        apart = [rows[parts[rows] == part] for part in np.unique(parts[rows])]
        large = [part for part in apart if len(part) >= min_cluster_size]
        small = [part for part in apart if len(part) < min_cluster_size]
        if large and small:
            large = _readmit(vectors, large, np.concatenate(small), max_distance)
        kept += large
    return kept


def _readmit(
    vectors: np.ndarray, parts: list[np.ndarray], rows: np.ndarray, max_distance: float
) -> list[np.ndarray]:
    """Add to the parts the rows that are near enough to the centre of one."""
    centres = np.stack([vectors[part].sum(axis=0, dtype=np.float64) for part in parts])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    distances = 1 - vectors[rows] @ centres.T
    nearest = distances.argmin(axis=1)
    near = distances.min(axis=1) <= max_distance
    return [
        np.sort(np.concatenate([part, rows[near & (nearest == place)]]))
        for place, part in enumerate(parts)
    ]
