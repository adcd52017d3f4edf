"""The single-linkage tree and the clusters selected from it, both by hdbscan's own code.

What follows the spanning tree takes time of the order of n log n. The easiest way to
equal labels are the functions that hdbscan's class calls, though it does not document
them.
"""

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan.published import compiled_module


def single_linkage(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the tree that the edges of a spanning tree make in order of their weight.

    Args:
        steps: (m - 1, 3): row, row, weight.

    Returns:
        (m - 1, 4) as in scipy.cluster.hierarchy.
    """
    if not len(steps):
        return np.empty((0, 4))
    # Not a stable sort, as hdbscan does not use one: how equal weights are ordered
    # depends on the processor, and labels depend on that.
    label = compiled_module("_hdbscan_linkage").label
    linkage: NDArray[np.float64] = label(steps[np.argsort(steps.T[2])])
    return linkage


def select(
    linkage: NDArray[np.float64],
    min_cluster_size: int,
    method: str = "eom",
    single: float | None = None,
) -> NDArray[np.intp]:
    """Condense the tree, weigh its clusters by their stability and select.

    Args:
        linkage: (m - 1, 4), a single-linkage tree of m >= 2 rows.
        min_cluster_size: Fewer rows do not make a cluster.
        method: "eom" for excess of mass, "leaf" for the smallest clusters.
        single: Let all rows be one cluster, without those that join it above this
            distance.

    Returns:
        (m,), the label of each row, -1 for noise.
    """
    trees = compiled_module("_hdbscan_tree")
    condensed = trees.condense_tree(linkage, min_cluster_size)
    labels: NDArray[np.intp]
    labels, *_ = trees.get_clusters(
        condensed,
        trees.compute_stability(condensed),
        cluster_selection_method=method,
        allow_single_cluster=single is not None,
        cluster_selection_epsilon=float(single or 0),
    )
    return labels
