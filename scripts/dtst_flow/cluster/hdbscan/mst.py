"""The minimum spanning tree by mutual reachability distance, edge for edge hdbscan's."""

import numpy as np

from dtst_flow.cluster.hdbscan.distances import euclidean
from dtst_flow.cluster.hdbscan.neighbours import certified, core_distances, nearest
from dtst_flow.cluster.hdbscan.prim import prim
from dtst_flow.cluster.hdbscan.products import Arrays, best_arrays
from dtst_flow.cluster.hdbscan.rows import Rows
from dtst_flow.cluster.hdbscan.spanning import Edges
from dtst_flow.cluster.hdbscan.sweep import connect, sweep

NEIGHBOURS = 32
"""Neighbours sought of each row, or 2 min_samples where that is more.

Fewer leave more to the sweep, more cost more exact distances; of 12 to 48 this was about
the fastest, with groups and without, for 20,000 rows.
"""


def minimum_spanning_tree(
    rows: Rows,
    min_samples: int,
    arrays: Arrays | None = None,
    neighbours: int = NEIGHBOURS,
) -> np.ndarray:
    """Return (m - 1, 3) float64 in Prim's order: a row in the tree, one added, weight.

    The rows are numbered as in `rows.usable`; m = 0 gives no edges, as m = 1 does.

    arrays  where products are computed, the best place by default
    """
    if len(rows.usable) < 2:
        return np.empty((0, 3))
    vectors, sizes = rows.vectors, rows.sizes
    arrays = arrays or best_arrays(len(vectors))
    min_samples = min(min_samples, len(rows.usable) - 1)
    k = min(max(neighbours, 2 * min_samples), len(vectors) - 1)

    index, radius = nearest(vectors, k, arrays)
    i, j, place = _pairs(index)
    distances = euclidean(vectors, i, j)
    core = core_distances(sizes - 1, distances[place], sizes[index], min_samples)
    core = certified(vectors, core, radius, sizes, min_samples, arrays)
    edges = Edges(i, j, np.maximum(distances, np.maximum(core[i], core[j])))

    forest = connect(vectors, core, edges, arrays)
    swept = sweep(vectors, core, radius, forest, arrays)
    if swept is None:
        return _dense(rows, core)
    tree, others = swept
    tight = edges.take(edges.weight <= tree.bottleneck(edges.i, edges.j))
    return prim(rows.group, core, tree.edges + others + tight)


def _pairs(index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the pairs of rows and their neighbours, (n, k) int, each pair once.

    Returns (p,) int i < j, and (n, k) int, which pair each place of the index is.
    """
    n, k = index.shape
    rows = np.arange(n)[:, None]
    codes = np.minimum(rows, index) * n + np.maximum(rows, index)
    codes, place = np.unique(codes, return_inverse=True)
    return *np.divmod(codes, n), place.reshape(n, k)


def _dense(rows: Rows, core: np.ndarray) -> np.ndarray:
    """Hdbscan's own way over all pairs: for rows that are nearly all equally far apart."""
    from hdbscan._hdbscan_linkage import mst_linkage_core_vector
    from hdbscan.dist_metrics import DistanceMetric

    return mst_linkage_core_vector(
        rows.vectors[rows.group].astype(np.float64),
        core[rows.group],
        DistanceMetric.get_metric("euclidean"),
    )
