"""Nearest neighbours, and the core distances that follow from them."""

import numpy as np

from dtst_flow.cluster.hdbscan.compiled import compiled
from dtst_flow.cluster.hdbscan.distances import euclidean
from dtst_flow.cluster.hdbscan.products import (
    HOST,
    NEVER,
    Arrays,
    close_pairs,
    error,
    product_at,
)
from dtst_flow.cluster.hdbscan.threads import in_threads

SAMPLE = 512
"""Rows among which each row's first neighbours are looked for."""


def nearest(
    vectors: np.ndarray, k: int, arrays: Arrays = HOST
) -> tuple[np.ndarray, np.ndarray]:
    """List of each row the k others with the largest products.

    vectors  (n, d) float32, of length 1
    k        at most n - 1

    Returns (n, k) int, rows, and (n,) float64, a radius: no row that is not listed is
    nearer. It is infinite if all are listed.

    n**2 d operations, as every product serves both its rows; O(n (d + k)) memory.
    """
    n, d = vectors.shape
    if k == 0:
        return np.empty((n, 0), np.intp), np.full(n, np.inf if n == 1 else 0.0)
    best = np.repeat(_floor(vectors, k)[:, None], k, axis=1)
    index = np.full((n, k), -1)

    def limits(rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        return best[rows, -1:].copy(), best[columns, -1].copy()

    for i, j, product in close_pairs(vectors, None, limits, arrays):
        _admit(i, j, product, best, index)
        _admit(j, i, product, best, index)
    if k == n - 1:
        return index, np.full(n, np.inf)
    last = best[:, -1].astype(np.float64)
    return index, np.sqrt(np.maximum(0, 2 - 2 * last - error(d)))


def core_distances(
    equals: np.ndarray, distances: np.ndarray, counts: np.ndarray, min_samples: int
) -> np.ndarray:
    """Return (n,) float64, the distance of each row to its min_samples-th neighbour.

    equals     (n,) int, neighbours at distance 0, as rows are folded that are equal
    distances  (n, k) float64, to the next ones, in any order
    counts     (n, k) int, how many equal rows each of those stands for
    """
    order = np.argsort(distances, axis=1)
    steps = np.take_along_axis(distances, order, 1)
    counts = np.take_along_axis(counts, order, 1)
    steps = np.column_stack([np.zeros(len(equals)), steps])
    reached = np.cumsum(np.column_stack([equals, counts]), axis=1) >= min_samples
    return steps[np.arange(len(equals)), reached.argmax(axis=1)]


def certified(
    vectors: np.ndarray,
    core: np.ndarray,
    radius: np.ndarray,
    sizes: np.ndarray,
    min_samples: int,
    arrays: Arrays = HOST,
) -> np.ndarray:
    """Correct core distances beyond the radius within which neighbours are known.

    core  (n,) float64, too large where others are nearer than those that were listed

    The rows concerned, of bursts of nearly equal vectors, are measured exactly against
    everything that may lie within their core distance.
    """
    rows = np.flatnonzero(core > radius)
    if not len(rows):
        return core
    best = np.full((len(rows), min_samples), -np.inf)
    index = np.full(best.shape, -1)
    limit = product_at(core[rows], error(vectors.shape[1]))

    def limits(part: slice, columns: slice) -> tuple[np.ndarray]:
        return (limit[part, None],)

    for i, j, _ in close_pairs(vectors[rows], vectors, limits, arrays):
        other = rows[i] != j
        i, j = i[other], j[other]
        _admit(i, j, -euclidean(vectors, rows[i], j), best, index)
    fixed = core.copy()
    fixed[rows] = core_distances(sizes[rows] - 1, -best, sizes[index], min_samples)
    return fixed


def _floor(vectors: np.ndarray, k: int) -> np.ndarray:
    """(n,) float32 that at least k products of each row exceed: of rows next to it."""
    n, d = vectors.shape
    if n <= k + 1:
        return np.full(n, -NEVER)
    step = min(n, max(SAMPLE, 2 * k))

    def kth(start: int) -> np.ndarray:
        stop = min(start + step, n)
        products = vectors[start:stop] @ vectors[stop - step : stop].T
        # One more than k, as the row itself is among them.
        return np.partition(products, -k - 1, axis=1)[:, -k - 1]

    found = np.concatenate(list(in_threads(kth, range(0, n, step))))
    return found - np.float32(error(d))


@compiled
def _admit(rows, columns, values, best, index):
    """Insert columns into the lists of their rows, which fall in value, if they are above the last.

    rows, columns, values  (p,)
    best, index            (n, k), changed in place
    """
    last = best.shape[1] - 1
    for pair in range(len(rows)):
        row, value = rows[pair], values[pair]
        if not value > best[row, last]:
            continue
        place = last
        while place > 0 and best[row, place - 1] < value:
            best[row, place] = best[row, place - 1]
            index[row, place] = index[row, place - 1]
            place -= 1
        best[row, place] = value
        index[row, place] = columns[pair]
