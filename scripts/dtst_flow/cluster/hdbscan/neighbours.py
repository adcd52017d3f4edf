"""Nearest neighbours, and the core distances that follow from them."""

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan.distances import (
    HOST,
    NEVER,
    Arrays,
    close_pairs,
    error,
    euclidean,
    product_at,
)
from dtst_flow.cluster.hdbscan.parallel import compiled, in_threads

SAMPLE = 512
"""Rows among which each row's first neighbours are searched."""


def nearest(
    vectors: NDArray[np.float32], k: int, arrays: Arrays = HOST
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """List for each row the k others with the largest products.

    n**2 d operations, as every product serves both its rows; O(n (d + k)) memory.

    Args:
        vectors: (n, d), of length 1.
        k: How many others to list; at most n - 1.
        arrays: Where products are computed.

    Returns:
        (n, k), rows; and (n,), a radius: no row that is not listed is nearer. It is
        infinite if all are listed.
    """
    n, d = vectors.shape
    if k == 0:
        return np.empty((n, 0), np.intp), np.full(n, np.inf if n == 1 else 0.0)
    best = np.repeat(_floor(vectors, k)[:, None], k, axis=1)
    index = np.full((n, k), -1)

    def limits(rows: slice, columns: slice) -> tuple[NDArray[np.float32], ...]:
        return best[rows, -1:].copy(), best[columns, -1].copy()

    for i, j, product in close_pairs(vectors, None, limits, arrays):
        _admit(i, j, product, best, index)
        _admit(j, i, product, best, index)
    if k == n - 1:
        return index, np.full(n, np.inf)
    last = best[:, -1].astype(np.float64)
    return index, np.sqrt(np.maximum(0, 2 - 2 * last - error(d)))


def core_distances(
    equals: NDArray[np.intp],
    distances: NDArray[np.float64],
    counts: NDArray[np.intp],
    min_samples: int,
) -> NDArray[np.float64]:
    """The distance of each row to its min_samples-th neighbour, (n,).

    Args:
        equals: (n,), neighbours at distance 0, as rows are folded that are equal.
        distances: (n, k), to the next ones, in any order.
        counts: (n, k), how many equal rows each of those stands for.
        min_samples: Which neighbour counts.
    """
    order = np.argsort(distances, axis=1)
    steps = np.take_along_axis(distances, order, 1)
    counts = np.take_along_axis(counts, order, 1)
    steps = np.column_stack([np.zeros(len(equals)), steps])
    reached = np.cumsum(np.column_stack([equals, counts]), axis=1) >= min_samples
    core: NDArray[np.float64] = steps[np.arange(len(equals)), reached.argmax(axis=1)]
    return core


def certified(
    vectors: NDArray[np.float32],
    core: NDArray[np.float64],
    radius: NDArray[np.float64],
    sizes: NDArray[np.intp],
    min_samples: int,
    arrays: Arrays = HOST,
) -> NDArray[np.float64]:
    """Correct core distances beyond the radius within which neighbours are known.

    The rows concerned, of bursts of nearly equal vectors, are measured exactly against
    everything that may be within their core distance.

    Args:
        vectors: (n, d), of length 1.
        core: (n,), too large where others are nearer than those that were listed.
        radius: (n,), no row that was not listed is nearer.
        sizes: (n,), how many equal rows each row stands for.
        min_samples: Which neighbour's distance is a core distance.
        arrays: Where products are computed.

    Returns:
        (n,), core distances.
    """
    rows = np.flatnonzero(core > radius)
    if not len(rows):
        return core
    best = np.full((len(rows), min_samples), -np.inf)
    index = np.full(best.shape, -1)
    limit = product_at(core[rows], error(vectors.shape[1]))

    def limits(part: slice, columns: slice) -> tuple[NDArray[np.float32], ...]:
        return (limit[part, None],)

    for i, j, _ in close_pairs(vectors[rows], vectors, limits, arrays):
        other = rows[i] != j
        i, j = i[other], j[other]
        _admit(i, j, -euclidean(vectors, rows[i], j), best, index)
    fixed = core.copy()
    fixed[rows] = core_distances(sizes[rows] - 1, -best, sizes[index], min_samples)
    return fixed


def _floor(vectors: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """What at least k products of each row exceed, (n,): from rows next to it."""
    n, d = vectors.shape
    if n <= k + 1:
        return np.full(n, -NEVER)
    step = min(n, max(SAMPLE, 2 * k))

    def kth(start: int) -> NDArray[np.float32]:
        stop = min(start + step, n)
        products = vectors[start:stop] @ vectors[stop - step : stop].T
        # One more than k, as the row itself is among them.
        largest: NDArray[np.float32] = np.partition(products, -k - 1, axis=1)
        return largest[:, -k - 1]

    floor = np.concatenate(list(in_threads(kth, range(0, n, step))))
    return floor - np.float32(error(d))


@compiled
def _admit(
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    values: NDArray[np.floating],
    best: NDArray[np.floating],
    index: NDArray[np.intp],
) -> None:
    """Insert columns into the lists of their rows, if they are above the last.

    Args:
        rows: (p,), which list.
        columns: (p,), what to insert.
        values: (p,), what the lists are sorted by.
        best: (n, k), the values in each list, descending; changed in place.
        index: (n, k), the columns in each list; changed in place.
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
