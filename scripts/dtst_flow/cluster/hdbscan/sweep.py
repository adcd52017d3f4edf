"""The sweep: proof that no edge is missing, at the cost of the products that need it."""

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan.distances import (
    HOST,
    NEVER,
    Arrays,
    close_pairs,
    error,
    mutual_reachability,
    product_at,
)
from dtst_flow.cluster.hdbscan.neighbours import nearest
from dtst_flow.cluster.hdbscan.spanning import Edges, Forest, RangeMaximum, highest_open

SCOUTS = 4
"""Neighbours that the densest row of each tree seeks among those of the others."""

FOLD = 1 << 16
"""Edges, in addition to one a row, that are collected before they improve the tree."""

TIES = 16
"""Edges a row that weigh exactly their bottleneck: there are few unless all is equal."""


def connect(
    vectors: NDArray[np.float32],
    core: NDArray[np.float64],
    edges: Edges,
    arrays: Arrays = HOST,
) -> Forest:
    """Return one spanning tree, minimal by these edges and some between their trees.

    Trees are joined at their densest rows, round by round (Boruvka): any tree would do
    as a start for the sweep, a light one makes it short.

    Args:
        vectors: (n, d), of length 1.
        core: (n,), core distances.
        edges: The edges that are known.
        arrays: Where products are computed.
    """
    forest = Forest(len(vectors), edges)
    while len(forest.edges) < len(vectors) - 1:
        trees = forest.trees()
        by_density = np.lexsort([core, trees])
        densest = by_density[np.unique(trees[by_density], return_index=True)[1]]
        scouted = min(SCOUTS, len(densest) - 1)
        index, _ = nearest(vectors[densest], scouted, arrays)
        i, j = np.repeat(densest, scouted), densest[index.ravel()]
        bridges = Edges(i, j, mutual_reachability(vectors, core, i, j))
        forest = Forest(len(vectors), forest.edges + bridges)
    return forest


def sweep(
    vectors: NDArray[np.float32],
    core: NDArray[np.float64],
    radius: NDArray[np.float64],
    forest: Forest,
    arrays: Arrays = HOST,
) -> tuple[Forest, Edges] | None:
    """Find the minimum spanning tree, and edges that could be in it as well.

    A pair is an edge of some minimum spanning tree only if it weighs no more than its
    bottleneck in any spanning tree. Products rule this out for nearly all pairs; the
    others are measured.

    At most n**2 d operations, except for bursts of m nearly equal rows, whose m**2 pairs
    are measured; O(n (d + log n)) memory.

    Args:
        vectors: (n, d), of length 1.
        core: (n,), core distances.
        radius: (n,), up to which all edges of a row were considered for the forest.
        forest: A forest of one tree.
        arrays: Where products are computed.

    Returns:
        The tree and the edges, None if TIES edges a row or more could be in the tree.
    """
    low = np.maximum(core, radius)
    rows = forest.order[low[forest.order] <= highest_open(forest, low)]
    slack = error(vectors.shape[1])
    best = _Best(forest, rows, slack)
    if len(rows) < 2:
        return forest, best.edges

    for a, b, product in close_pairs(vectors[rows], None, best.limits, arrays):
        bound = best.bottleneck(a, b)
        i, j = rows[a], rows[b]
        open_ = np.maximum(low[i], low[j]) <= bound
        open_ &= 2 - 2 * product.astype(np.float64) - slack <= bound**2
        i, j, bound = i[open_], j[open_], bound[open_]
        edges = Edges(i, j, mutual_reachability(vectors, core, i, j))
        best.add(edges.take(edges.weight <= bound))
        if best.ties >= TIES * len(vectors):
            return None
    best.fold()
    return best.forest, best.edges


class _Best:
    """The best spanning tree that is known in the course of a sweep.

    Args:
        forest: A forest of one tree.
        rows: (m,), the rows to compare, in the order of the forest.
        slack: The `error` of products.

    Attributes:
        forest: A forest of one tree.
        edges: Edges that are in it or could be.
        ties: How many of these were in it or could be when they were last sorted out.
    """

    def __init__(self, forest: Forest, rows: NDArray[np.intp], slack: float):
        self.forest = forest
        self.edges = forest.edges.take(np.empty(0, np.intp))
        self.ties = 0
        self._rows = rows
        self._slack = slack
        self._lower(forest.bottleneck(rows[:-1], rows[1:]))

    def _lower(self, gaps: NDArray[np.float64]) -> None:
        """Take over the bottlenecks of rows that are neighbours in `rows`, (m - 1,)."""
        self._gaps = gaps
        self._highest = RangeMaximum(gaps)

    def bottleneck(
        self, a: NDArray[np.intp], b: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return (p,), no less than the bottlenecks of rows[a] and rows[b], a < b."""
        return self._highest(a, b)

    def limits(self, i: slice, j: slice) -> tuple[NDArray[np.float32], ...]:
        """Return what the products of the pairs of a block exceed that may be edges."""
        slack = self._slack
        if i == j:
            gaps = self._gaps[i.start : i.stop - 1].astype(np.float32)
            # reach[a, b - 1] is the largest gap between places a < b of the block.
            reach = np.triu(np.broadcast_to(gaps, (len(gaps), len(gaps))))
            limit = np.full((len(gaps) + 1, len(gaps) + 1), NEVER)
            limit[:-1, 1:] = product_at(np.maximum.accumulate(reach, axis=1), slack)
            return (limit,)
        to_end = np.maximum.accumulate(self._gaps[i.start : j.start][::-1])[::-1]
        from_start = np.maximum.accumulate(self._gaps[j.start : j.stop - 1])
        return (
            product_at(to_end[: i.stop - i.start, None], slack),
            product_at(np.append(0.0, from_start), slack),
        )

    def add(self, edges: Edges) -> None:
        """Collect edges; improve the tree by them when they are many."""
        if not len(edges):
            return
        self.edges += edges
        if len(self.edges) - self.ties > len(self.forest.order) + FOLD:
            self.fold()

    def fold(self) -> None:
        """Let the tree take the collected edges, and drop those that it rules out."""
        forest = Forest(len(self.forest.order), self.forest.edges + self.edges)
        tight = self.edges.weight <= forest.bottleneck(self.edges.i, self.edges.j)
        self.forest, self.edges = forest, self.edges.take(tight)
        self.ties = len(self.edges)
        # The bottleneck of two rows is no larger than the largest on any way from one
        # to the other, so the order of rows may stay as it is.
        bottlenecks = forest.bottleneck(self._rows[:-1], self._rows[1:])
        self._lower(np.minimum(self._gaps, bottlenecks))
