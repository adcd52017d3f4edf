"""Prim's algorithm in the order of hdbscan's, which decides among equal weights."""

from heapq import heappop, heappush

import numpy as np

from dtst_flow.cluster.hdbscan.spanning import Edges


def prim(group: np.ndarray, core: np.ndarray, edges: Edges) -> np.ndarray:
    """Return (m - 1, 3) float64, step by step: a row in the tree, one added, weight.

    group  (m,) int, which distinct vector each row is, numbered by their first rows
    core   (n,) float64, core distances of the distinct vectors
    edges  between distinct vectors, all that stand in some minimum spanning tree

    The tree starts at row 0. Of the rows nearest to it the lowest is added, and joined
    to that row of the tree which was the first to be so near. Equal rows are always
    equally near, so they are added in their order, and the first of them is the one
    that others are joined to: edges of distinct vectors tell all. O((m + e) log e).
    """
    neighbours = _neighbours(len(core), edges)
    waiting = _rows_of(group, len(core))
    nearness = [np.inf] * len(core)
    source = [0] * len(core)
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
    listed = (edges.i.tolist(), edges.j.tolist(), edges.weight.tolist())
    for i, j, weight in zip(*listed, strict=True):
        neighbours[i].append((j, weight))
        neighbours[j].append((i, weight))
    return neighbours


def _rows_of(group: np.ndarray, n: int) -> list[list[int]]:
    """The rows of each distinct vector, the lowest last, where it can be popped."""
    rows: list[list[int]] = [[] for _ in range(n)]
    for row in range(len(group) - 1, -1, -1):
        rows[group[row]].append(row)
    return rows
