"""Minimum spanning trees of given edges, and what lies on the paths through them."""

from dataclasses import dataclass

import numpy as np

from dtst_flow.cluster.hdbscan.compiled import compiled


@dataclass(frozen=True)
class Edges:
    """Edges between rows.

    i, j    (e,) int
    weight  (e,) float64
    """

    i: np.ndarray
    j: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, which: np.ndarray) -> "Edges":
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

    def __init__(self, values: np.ndarray):
        levels = max(1, len(values).bit_length())
        # table[level, i] is the maximum of values[i : i + 2**level].
        self._table = np.full((levels, len(values)), -np.inf)
        self._table[0] = values
        for level in range(1, levels):
            half, last = 1 << level >> 1, self._table[level - 1]
            self._table[level, :-half] = np.maximum(last[:-half], last[half:])

    def __call__(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (q,) float64, the largest of values[low:high]; low < high."""
        level = np.frexp(high - low)[1] - 1
        return np.maximum(
            self._table[level, low], self._table[level, high - (1 << level)]
        )


class Forest:
    """The minimum spanning forest of n rows by some edges.

    Its rows stand in an order in which every tree that grew in the course of Kruskal's
    algorithm is a range. So the bottleneck of two rows, the largest weight on the path
    between them, is the largest of the gaps between their places: the weights of the
    edges that joined a range to the one after it.

    edges  Edges, the forest's own, in order of the places they join
    order  (n,) int, the rows
    gaps   (n - 1,) float64, infinite between trees
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

    def bottleneck(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return (p,) float64 of rows i != j, infinite where no path joins them."""
        i, j = self._place[i], self._place[j]
        return self._highest(np.minimum(i, j), np.maximum(i, j))

    def trees(self) -> np.ndarray:
        """Return (n,) int, which tree each row is in."""
        tree = np.empty(len(self.order), np.intp)
        tree[self.order] = np.cumsum(np.append(0, np.isinf(self.gaps)))
        return tree


def highest_open(forest: Forest, low: np.ndarray) -> float:
    """Return the largest weight at which a better or an equal edge may join two trees.

    low  (n,) float64: unknown edges of a row weigh at least so much, and an edge at
         least as much as either of its rows says

    An unknown edge can matter only where both of the trees that Kruskal joins hold a
    row that says no more than the weight. -inf if there are none.
    """
    edges = forest.edges.take(np.argsort(forest.edges.weight, kind="stable"))
    return _highest_open(edges.i, edges.j, edges.weight, low.copy())


@compiled
def _find(parent, row):
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@compiled
def _kruskal(n, i, j):
    """Join trees by edges in ascending weight, and append the one's rows to the other's.

    Returns (n,) the rows in order, and (n - 1,) the edge that joined each to the next,
    -1 where none did.
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
def _highest_open(i, j, weight, low):
    parent = np.arange(len(low))
    highest = -np.inf
    for edge in range(len(i)):
        a, b = _find(parent, i[edge]), _find(parent, j[edge])
        if max(low[a], low[b]) <= weight[edge]:
            highest = weight[edge]
        parent[b] = a
        low[a] = min(low[a], low[b])
    return highest
