"""Density-based clustering of unit vectors: the one place that knows the algorithm."""

import numpy as np

from dtst_flow.cluster import hdbscan


def labels(
    vectors: np.ndarray,
    min_cluster_size: int,
    min_samples: int,
    single: float | None = None,
) -> np.ndarray:
    """Cluster by HDBSCAN, excess of mass selection.

    Euclidean distance, which on unit vectors orders pairs as the cosine does.

    vectors  (n, d) float32, rows of length 1; others are brought to it, and those that
             are zero or not finite are noise
    single   let all rows be one cluster, which is never found otherwise; those farther
             than this euclidean distance from all the others are noise

    Returns (n,) int, -1 for noise.
    """
    return hdbscan.cluster(vectors, min_cluster_size, min_samples, single=single).labels
