"""Density-based clustering of unit vectors: the one place that knows the algorithm."""

import numpy as np


def labels(
    vectors: np.ndarray,
    min_cluster_size: int,
    min_samples: int,
    single: float | None = None,
) -> np.ndarray:
    """Cluster by HDBSCAN (Campello, Moulavi & Sander 2013), excess of mass selection.

    Euclidean distance, which on unit vectors orders pairs as the cosine does.

    vectors  (n, d) float32, rows of length 1
    single   let all rows be one cluster, which is never found otherwise; those farther
             than this euclidean distance from all the others are noise

    Returns (n,) int, -1 for noise.
    """
    if len(vectors) < max(2, min_cluster_size):
        return np.full(len(vectors), -1)
    from hdbscan import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min(min_samples, len(vectors) - 1),
        allow_single_cluster=single is not None,
        cluster_selection_epsilon=single or 0.0,
        core_dist_n_jobs=1,
    )
    return model.fit_predict(vectors.astype(np.float64))
