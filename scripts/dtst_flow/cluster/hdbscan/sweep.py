"""The sweep: proof that no edge is missing, at the cost of the products that need it."""

import numpy as np

from dtst_flow.cluster.hdbscan.distances import mutual_reachability
from dtst_flow.cluster.hdbscan.neighbours import nearest
from dtst_flow.cluster.hdbscan.products import (
    HOST,
    NEVER,
    Arrays,
    close_pairs,
    error,
    product_at,
)
from dtst_flow.cluster.hdbscan.spanning import Edges, Forest, RangeMaximum, highest_open

SCOUTS = 4
"""Neighbours that the densest row of each tree seeks among those of the others."""

FOLD = 1 << 16
"""Edges, beside one a row, that are collected before the tree is improved by them."""

TIES = 16
"""Edges a row that weigh exactly their bottleneck: there are few unless all is equal."""


def connect(
    vectors: np.ndarray, core: np.ndarray, edges: Edges, arrays: Arrays = HOST
) -> Forest:
    """Return one spanning tree, minimal by these edges and some between their trees.

    Trees are joined at their densest rows, round by round (Boruvka): any tree would do
    as a start for the sweep, a light one makes it short.
    """
    forest = Forest(len(vectors), edges)
    while len(forest.edges) < len(vectors) - 1:
        trees = forest.trees()
        by_density = np.lexsort([core, trees])
        densest = by_density[np.unique(trees[by_density], return_index=True)[1]]
        scouted = min(SCOUTS, len(densest) - 1)
        found, _ = nearest(vectors[densest], scouted, arrays)
        i, j = np.repeat(densest, scouted), densest[found.ravel()]
        bridges = Edges(i, j, mutual_reachability(vectors, core, i, j))
        forest = Forest(len(vectors), forest.edges + bridges)
    return forest


def sweep(
    vectors: np.ndarray,
    core: np.ndarray,
    radius: np.ndarray,
    forest: Forest,
    arrays: Arrays = HOST,
) -> tuple[Forest, Edges] | None:
    """Return the minimum spanning tree, and edges that could stand in it as well.

    vectors  (n, d) float32
    core     (n,) float64, core distances
    radius   (n,) float64: all edges with shorter distances from a row were considered
             for the forest, which is one tree

    A pair is an edge of some minimum spanning tree only if it weighs no more than its
    bottleneck in any spanning tree. Products rule this out for nearly all pairs; the
    others are measured. None if TIES edges a row or more could stand in the tree.

    At most n**2 d operations, save for bursts of m nearly equal rows, whose m**2 pairs
    are measured; O(n (d + log n)) memory.
    """
    low = np.maximum(core, radius)
    rows = forest.order[low[forest.order] <= highest_open(forest, low)]
    best = _Best(forest, rows)
    if len(rows) < 2:
        return forest, best.found
    slack = error(vectors.shape[1])

    for a, b, product in close_pairs(
        vectors[rows], None, lambda i, j: best.limits(i, j, slack), arrays
    ):
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
    return best.forest, best.found


class _Best:
    """The best spanning tree that is known in the course of a sweep.

    forest  one tree
    found   edges that are in it or could be
    """

    def __init__(self, forest: Forest, rows: np.ndarray):
        self.forest = forest
        self.found = forest.edges.take(np.empty(0, np.intp))
        self.ties = 0
        self._rows = rows
        self._lower(forest.bottleneck(rows[:-1], rows[1:]))

    def _lower(self, gaps: np.ndarray) -> None:
        """Gaps  (m - 1,) float64, bottlenecks of rows that are neighbours in `rows`"""
        self._gaps = gaps
        self._highest = RangeMaximum(gaps)

    def bottleneck(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return (p,) float64, no less than the bottlenecks of rows[a] and rows[b], a < b."""
        return self._highest(a, b)

    def limits(self, i: slice, j: slice, slack: float) -> tuple[np.ndarray, ...]:
        """Return what the products of the pairs of a block exceed that may be edges."""
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
        if not len(edges):
            return
        self.found += edges
        if len(self.found) - self.ties > len(self.forest.order) + FOLD:
            self.fold()

    def fold(self) -> None:
        """Let the tree take the edges found, and forget those that it rules out."""
        forest = Forest(len(self.forest.order), self.forest.edges + self.found)
        tight = self.found.weight <= forest.bottleneck(self.found.i, self.found.j)
        self.forest, self.found = forest, self.found.take(tight)
        self.ties = len(self.found)
        # The bottleneck of two rows is no larger than the largest on any way from one
        # to the other, so the order of rows may stay as it is.
        new = forest.bottleneck(self._rows[:-1], self._rows[1:])
        self._lower(np.minimum(self._gaps, new))
