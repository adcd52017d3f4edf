"""Minimum spanning trees of given edges, and the weights on the paths through them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan.parallel import compiled


@dataclass(frozen=True)
class Edges:
    """Edges between rows.

    Attributes:
        i: (e,) int, the row at one end of each.
        j: (e,) int, the row at the other end.
        weight: (e,) float64.
    """

    i: NDArray[np.intp]
    j: NDArray[np.intp]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "Edges":
        """Some of the edges, by their numbers or a mask."""
        return Edges(self.i[which], self.j[which], self.weight[which])

    def __add__(self, other: "Edges") -> "Edges":
        return Edges(
            np.concatenate([self.i, other.i]),
            np.concatenate([self.j, other.j]),
            np.concatenate([self.weight, other.weight]),
        )


class RangeMaximum:
    """Maxima of ranges of n values by a sparse table: O(n log n) memory, O(1) a query.

    Bender & Farach-Colton 2000, The LCA problem revisited.
    """

    def __init__(self, values: NDArray[np.float64]):
        levels = max(1, len(values).bit_length())
        # table[level, i] is the maximum of values[i : i + 2**level].
        self._table = np.full((levels, len(values)), -np.inf)
        self._table[0] = values
        for level in range(1, levels):
            half, last = 1 << level >> 1, self._table[level - 1]
            self._table[level, :-half] = np.maximum(last[:-half], last[half:])

    def __call__(
        self, low: NDArray[np.intp], high: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return (q,), the largest of values[low:high]; low < high."""
        level = np.frexp(high - low)[1] - 1
        maxima: NDArray[np.float64] = np.maximum(
            self._table[level, low], self._table[level, high - (1 << level)]
        )
        return maxima


class Forest:
    """The minimum spanning forest of n rows by some edges.

    Its rows are in an order in which every tree that grew in the course of Kruskal's
    algorithm is a range. So the bottleneck of two rows, the largest weight on the path
    between them, is the largest of the gaps between their places: the weights of the
    edges that joined a range to the one after it.

    Attributes:
        edges: The forest's own edges, in order of the places they join.
        order: (n,) int, the rows.
        gaps: (n - 1,) float64, infinite between trees.
    """

    def __init__(self, n: int, edges: Edges):
        edges = edges.take(np.argsort(edges.weight, kind="stable"))
        self.order, link = _kruskal(n, edges.i, edges.j)
        joined = link >= 0
        self.edges = edges.take(link[joined])
        self.gaps = np.full(len(link), np.inf)
        self.gaps[joined] = self.edges.weight
        self._place = np.empty(n, np.intp)
        self._place[self.order] = np.arange(n)
        self._highest = RangeMaximum(self.gaps)

    def bottleneck(
        self, i: NDArray[np.intp], j: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return (p,) of rows i != j, infinite where no path joins them."""
        i, j = self._place[i], self._place[j]
        return self._highest(np.minimum(i, j), np.maximum(i, j))

    def trees(self) -> NDArray[np.intp]:
        """Return (n,), which tree each row is in."""
        tree = np.empty(len(self.order), np.intp)
        tree[self.order] = np.cumsum(np.append(0, np.isinf(self.gaps)))
        return tree


def highest_open(forest: Forest, low: NDArray[np.float64]) -> float:
    """Return the largest weight at which a better or an equal edge may join two trees.

    An unknown edge can matter only where both of the trees that Kruskal joins hold a
    row whose bound is no more than the weight.

    Args:
        forest: The forest by the known edges.
        low: (n,), a bound: unknown edges of a row weigh at least this much, and an edge
            at least as much as the bound of either of its rows.

    Returns:
        The weight, -inf if there is none.
    """
    edges = forest.edges.take(np.argsort(forest.edges.weight, kind="stable"))
    return _highest_open(edges.i, edges.j, edges.weight, low.copy())


@compiled
def _find(parent: NDArray[np.intp], row: int) -> int:
    """The root of the tree that a row is in; shortens the way to it."""
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@compiled
def _kruskal(
    n: int, i: NDArray[np.intp], j: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Join trees by edges in ascending weight, and append the one's rows to the other's.

    Returns:
        (n,), the rows in order, and (n - 1,), the edge that joined each to the next, -1
        where none did.
    """
    parent = np.arange(n)
    first = np.arange(n)
    last = np.arange(n)
    following = np.full(n, -1)
    joining = np.full(n, -1)
    for edge in range(len(i)):
        a, b = _find(parent, i[edge]), _find(parent, j[edge])
        if a != b:
            following[last[a]] = first[b]
            joining[last[a]] = edge
            last[a] = last[b]
            parent[b] = a
    order = np.empty(n, np.intp)
    link = np.full(n, -1)
    place = 0
    for root in range(n):
        if parent[root] == root:
            row = first[root]
            while row >= 0:
                order[place] = row
                link[place] = joining[row]
                place += 1
                row = following[row]
    return order, link[: max(0, n - 1)]


@compiled
def _highest_open(
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    weight: NDArray[np.float64],
    low: NDArray[np.float64],
) -> float:
    """`highest_open` of a forest's edges in ascending weight; changes `low`."""
    parent = np.arange(len(low))
    highest = -np.inf
    for edge in range(len(i)):
        a, b = _find(parent, i[edge]), _find(parent, j[edge])
        if max(low[a], low[b]) <= weight[edge]:
            highest = weight[edge]
        parent[b] = a
        low[a] = min(low[a], low[b])
    return highest
