"""The single-linkage tree and the clusters selected from it, both by hdbscan's own code.

What comes after the spanning tree takes time of the order of n log n, and equal labels
are nowhere easier to have: by functions that its class calls, though it does not
document them.
"""

import numpy as np


def single_linkage(steps: np.ndarray) -> np.ndarray:
    """Return the tree that the edges of a spanning tree make in order of their weight.

    steps  (m - 1, 3) float64: row, row, weight

    Returns (m - 1, 4) float64 as in scipy.cluster.hierarchy.
    """
    if not len(steps):
        return np.empty((0, 4))
    from hdbscan._hdbscan_linkage import label

    # Not a stable sort, as hdbscan does not use one: how equal weights come to lie
    # depends on the processor, and labels depend on that.
    return label(steps[np.argsort(steps.T[2])])


def select(
    linkage: np.ndarray,
    min_cluster_size: int,
    method: str = "eom",
    single: float | None = None,
) -> np.ndarray:
    """Condense the tree, weigh its clusters by their stability and select.

    linkage  (m - 1, 4) float64, a single-linkage tree of m >= 2 rows
    method   eom for excess of mass, leaf for the smallest clusters
    single   let all rows be one cluster, less those that join it above this distance

    Returns (m,) int, the label of each row, -1 for noise.
    """
    from hdbscan.hdbscan_ import _tree_to_labels

    labels, *_ = _tree_to_labels(
        None,
        linkage,
        min_cluster_size,
        cluster_selection_method=method,
        allow_single_cluster=single is not None,
        cluster_selection_epsilon=float(single or 0),
    )
    return labels
