"""The minimum spanning tree by hdbscan's own code, which measures all pairs of rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan.published import compiled_module
from dtst_flow.cluster.hdbscan.rows import Rows

FEW = 1000
"""For so many rows that takes less time (half a second at 512 dimensions) than the import of
numba, which the way around most pairs needs."""


def core_distances(rows: Rows, min_samples: int) -> NDArray[np.float64]:
    """The distance of each row to its min_samples-th neighbour, or its last one.

    Args:
        rows: At least two rows.
        min_samples: Which neighbour counts.

    Returns:
        (m,), in the order of `rows.usable`.
    """
    nth = min(min_samples, len(rows.usable) - 1)
    distances = _metric().pairwise(_in_order(rows))
    core: NDArray[np.float64] = np.partition(distances, nth, axis=1)[:, nth].copy()
    return core


def spanning_tree(rows: Rows, core: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the tree, as `mst.minimum_spanning_tree` has it.

    Args:
        rows: At least two rows.
        core: (m,), their core distances.
    """
    linkage = compiled_module("_hdbscan_linkage").mst_linkage_core_vector
    steps: NDArray[np.float64] = linkage(_in_order(rows), core, _metric())
    return steps


def _metric() -> Any:
    return compiled_module("dist_metrics").DistanceMetric.get_metric("euclidean")


def _in_order(rows: Rows) -> NDArray[np.float64]:
    """All rows, equal ones as often as they are there."""
    return rows.vectors[rows.group].astype(np.float64)
