"""The minimum spanning tree by mutual reachability distance, edge for edge hdbscan's.

Among equal weights the order decides in which hdbscan adds the rows, that of Prim's
algorithm: its tree starts at row 0; of the rows nearest to it the lowest is added, and
joined to that row of the tree which was the first to be so near.
"""

from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan import all_pairs
from dtst_flow.cluster.hdbscan.distances import Arrays, best_arrays, euclidean
from dtst_flow.cluster.hdbscan.neighbours import certified, core_distances, nearest
from dtst_flow.cluster.hdbscan.rows import Rows
from dtst_flow.cluster.hdbscan.spanning import Edges
from dtst_flow.cluster.hdbscan.sweep import connect, sweep

NEIGHBOURS = 32
"""Neighbours to find of each row, or 2 min_samples where that is more.

Fewer leave more to the sweep, more cost more exact distances; of 12 to 48 this was about
the fastest, with groups and without, for 20,000 rows.
"""


def minimum_spanning_tree(
    rows: Rows,
    min_samples: int,
    arrays: Arrays | None = None,
    neighbours: int = NEIGHBOURS,
) -> NDArray[np.float64]:
    """Find the minimum spanning tree of all rows.

    Args:
        rows: The rows, numbered as in `rows.usable`; m = 0 gives no edges, as m = 1 does.
        min_samples: Which neighbour's distance is a row's core distance.
        arrays: Where products are computed, by default the best place.
        neighbours: How many neighbours to find of each row at least.

    Returns:
        (m - 1, 3) in Prim's order: a row in the tree, the row that is added, the weight.
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
        # Nearly all are equally far apart.
        return all_pairs.spanning_tree(rows, core[rows.group])
    tree, others = swept
    tight = edges.take(edges.weight <= tree.bottleneck(edges.i, edges.j))
    return prim(rows.group, core, tree.edges + others + tight)


def _pairs(
    index: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """List the pairs of rows and their neighbours, each pair once.

    Args:
        index: (n, k), the neighbours of each row.

    Returns:
        (p,) rows i and (p,) rows j with i < j, and (n, k), which pair each place of the
        index is.
    """
    n, k = index.shape
    rows = np.arange(n)[:, None]
    codes = np.minimum(rows, index) * n + np.maximum(rows, index)
    codes, place = np.unique(codes, return_inverse=True)
    i, j = np.divmod(codes, n)
    return i, j, place.reshape(n, k)


def prim(
    group: NDArray[np.intp], core: NDArray[np.float64], edges: Edges
) -> NDArray[np.float64]:
    """Put the edges of the minimum spanning tree into the order of Prim's algorithm.

    Equal rows are always equally near, so they are added in their order, and others are
    joined to the first of them: edges of distinct vectors are enough. O((m + e) log e).

    Args:
        group: (m,), which distinct vector each row is, numbered by their first rows.
        core: (n,), core distances of the distinct vectors.
        edges: Edges between distinct vectors, all that are in any minimum spanning tree.

    Returns:
        (m - 1, 3), step by step: a row in the tree, the row that is added, the weight.
    """
    neighbours = _neighbours(len(core), edges)
    waiting = _rows_of(group, len(core))
    nearness, source = [np.inf] * len(core), [0] * len(core)
    heap: list[tuple[float, int, int]] = []

    def offer(vector: int, weight: float, row: int) -> None:
        if waiting[vector] and weight < nearness[vector]:
            nearness[vector], source[vector] = weight, row
            heappush(heap, (weight, waiting[vector][-1], vector))

    def add(vector: int) -> None:
        row = waiting[vector].pop()
        for other, weight in neighbours.pop(vector, ()):
            offer(other, weight, row)
        offer(vector, core[vector], row)
        if waiting[vector]:
            heappush(heap, (nearness[vector], waiting[vector][-1], vector))

    add(0)
    steps = np.empty((len(group) - 1, 3))
    for step in steps:
        stale = True
        while stale:
            weight, row, vector = heappop(heap)
            left = waiting[vector]
            stale = not left or row != left[-1] or weight != nearness[vector]
        step[:] = source[vector], row, weight
        add(vector)
    return steps


def _neighbours(n: int, edges: Edges) -> dict[int, list[tuple[int, float]]]:
    """Vector -> its neighbours and the weights of the edges to them."""
    neighbours: dict[int, list[tuple[int, float]]] = {vector: [] for vector in range(n)}
    columns = (edges.i.tolist(), edges.j.tolist(), edges.weight.tolist())
    for i, j, weight in zip(*columns, strict=True):
        neighbours[i].append((j, weight))
        neighbours[j].append((i, weight))
    return neighbours


def _rows_of(group: NDArray[np.intp], n: int) -> list[list[int]]:
    """The rows of each distinct vector, the lowest last, where it can be popped."""
    rows: list[list[int]] = [[] for _ in range(n)]
    for row in range(len(group) - 1, -1, -1):
        rows[group[row]].append(row)
    return rows
