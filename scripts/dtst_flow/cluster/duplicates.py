"""Near-duplicates: shots of one burst, and copies that were encoded, scaled or cropped again.

They count as one photo: one of each set represents all of them in the clustering, and the
others go where it goes. HDBSCAN knows no weights; and if that one weighed as much as its
whole set, a burst would be a cluster by itself, which must not happen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 8
"""In how many bits the hashes of near-duplicates differ, at most.

Photos differ from their copies of half the size or of JPEG quality 30 in 4 at most, face
crops from those found again in such copies in 8 or less, except 1 % of them. Of 250,000
pairs of other photos and crops 12 differ in so few: objects before a white wall and
portraits of one person. The vectors tell them apart, except two.
"""

CHUNK = 4096
"""Rows whose distance to another is computed at once."""


@dataclass(frozen=True)
class Sets:
    """The rows in sets of near-duplicates, most often of one row each.

    Attributes:
        of: (n,) int, the set of each row; sets are numbered in order of their first rows.
        chosen: (sets,) int, the row of each set that represents it.
    """

    of: NDArray[np.intp]
    chosen: NDArray[np.intp]

    @property
    def several(self) -> list[NDArray[np.intp]]:
        """The rows of each set of more than one, the one first that represents it."""
        return [
            np.concatenate([[first], rows[rows != first]])
            for first, rows in zip(self.chosen, members(self.of), strict=True)
            if len(rows) > 1
        ]


def find(
    vectors: NDArray[np.float32],
    hashes: NDArray[np.uint64],
    alike: float,
    bits: int = BITS,
) -> Sets:
    """Find near-duplicates: alike to the eye and to the model.

    Two rows are near-duplicates if both their hashes and their vectors are close; rows
    that a chain of such pairs connects make a set. The row nearest to the mean of its set
    represents it, of several the first.

    Compares hashes n**2 / 2 times at worst, in 3 s of CPU time for 100,000 rows, and
    vectors only where hashes are close. A row that has been reached is not compared
    again, so a folder full of copies takes less time, not more. Takes memory of the order
    of n, and for the vectors of the largest set.

    Args:
        vectors: (n, d), rows of length 1. Those that are not finite are close to none.
        hashes: (n,), perceptual hashes.
        alike: Cosine distance of vectors that are close, at most; `embedders.MODELS` has
            it.
        bits: In how many bits hashes that are close differ, at most.
    """
    of = _components(vectors, hashes, alike, bits)
    chosen = [_nearest_to_mean(vectors, rows) for rows in members(of)]
    return Sets(of, np.array(chosen, np.intp))


def members(of: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The rows of each set, given the set of each row, (n,)."""
    order = np.argsort(of, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of))[:-1]) if len(of) else []


def _components(
    vectors: NDArray[np.float32], hashes: NDArray[np.uint64], alike: float, bits: int
) -> NDArray[np.intp]:
    """Number the rows by what they are connected to, (n,).

    Follows the connections from row to row; `left` are the rows not reached yet.
    """
    of = np.full(len(hashes), -1)
    left, left_hashes = np.arange(len(hashes)), hashes
    number = 0
    while len(left):
        reached = [int(left[0])]
        of[left[0]] = number
        left, left_hashes = left[1:], left_hashes[1:]
        while reached and len(left):
            row = reached.pop()
            unlike = np.bitwise_count(left_hashes ^ hashes[row])
            close = np.flatnonzero(unlike <= bits)
            close = close[_distances(vectors, row, left[close]) <= alike]
            if not len(close):
                continue
            of[left[close]] = number
            reached.extend(left[close].tolist())
            left = np.delete(left, close)
            left_hashes = np.delete(left_hashes, close)
        number += 1
    return of


def _distances(
    vectors: NDArray[np.float32], row: int, others: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Cosine distances of some rows to one, (others,)."""
    distances = np.empty(len(others))
    for start in range(0, len(others), CHUNK):
        part = slice(start, start + CHUNK)
        distances[part] = 1 - _products(vectors[others[part]], vectors[row])
    return distances


def _nearest_to_mean(vectors: NDArray[np.float32], rows: NDArray[np.intp]) -> int:
    """The row whose distance to the mean of all is smallest, of several the first."""
    if len(rows) == 1:
        return int(rows[0])
    chosen = vectors[rows]
    mean = chosen.mean(axis=0, dtype=np.float64)
    return int(rows[np.argmax(_products(chosen, mean).round(9))])


def _products(
    vectors: NDArray[np.float32], other: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Inner products, (n,): the same ones however many threads BLAS has."""
    products: NDArray[np.float64] = np.einsum(
        "ij,j->i", vectors, other, dtype=np.float64
    )
    return products
