"""Near-duplicates: shots of one burst, and copies that were encoded, scaled or cropped anew.

They count as one photo: one of each set stands for all when clusters are sought, and the
others go where it goes. HDBSCAN knows no weights; and if that one weighed as much as its
whole set, a burst would be a cluster by itself, which is what is to be avoided.
"""

from dataclasses import dataclass

import numpy as np

BITS = 8
"""In how many bits the hashes of near-duplicates differ, at most.

Photos differ from their copies of half the size or of JPEG quality 30 in 4 at most, face
crops from those found anew in such copies in 8 or less, but for 1 % of them. Of
250,000 pairs of other photos and crops 12 differ in so few: objects before a white wall
and portraits of one person. The vectors tell them apart, all but two.
"""

CHUNK = 4096
"""Rows whose distance to another is computed at once."""


@dataclass(frozen=True)
class Sets:
    """The rows in sets of near-duplicates, most often of one row each.

    of      (n,) int, the set of each row; sets are numbered in order of their first rows
    chosen  (sets,) int, the row of each set that stands for it
    """

    of: np.ndarray
    chosen: np.ndarray

    @property
    def several(self) -> list[np.ndarray]:
        """The rows of each set of more than one, that first which stands for it."""
        return [
            np.concatenate([[first], rows[rows != first]])
            for first, rows in zip(self.chosen, members(self.of), strict=True)
            if len(rows) > 1
        ]


def find(
    vectors: np.ndarray, hashes: np.ndarray, alike: float, bits: int = BITS
) -> Sets:
    """Find near-duplicates: alike to the eye and to the model.

    Two rows are near-duplicates whose hashes and vectors are both close; those that a
    chain of such pairs connects make a set. The row nearest to the mean of its set
    stands for it, of several the first.

    vectors  (n, d) float32, rows of length 1
    hashes   (n,) uint64, perceptual hashes
    alike    cosine distance of vectors that are close, at most; `embed.MODELS` knows it.
             Vectors that are not finite are close to none
    bits     in how many bits hashes that are close differ, at most

    Compares hashes n**2 / 2 times at worst, in 3 s of CPU time for 100,000 rows, and
    vectors only where hashes are close. A row that has been reached is not looked at
    again, so a folder full of copies takes less time, not more. Takes memory of the order
    of n, and for the vectors of the largest set.
    """
    of = _components(vectors, hashes, alike, bits)
    chosen = [_nearest_to_mean(vectors, rows) for rows in members(of)]
    return Sets(of, np.array(chosen, np.intp))


def members(of: np.ndarray) -> list[np.ndarray]:
    """The rows of each set, given the set of each row, (n,) int."""
    order = np.argsort(of, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of))[:-1]) if len(of) else []


def _components(
    vectors: np.ndarray, hashes: np.ndarray, alike: float, bits: int
) -> np.ndarray:
    """Number the rows by what they are connected to, (n,) int.

    Follows the connections from row to row; `left` are the rows nothing has led to yet.
    """
    of = np.full(len(hashes), -1)
    left, left_hashes = np.arange(len(hashes)), hashes
    number = 0
    while len(left):
        reached = [left[0]]
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
            reached.extend(left[close])
            left = np.delete(left, close)
            left_hashes = np.delete(left_hashes, close)
        number += 1
    return of


def _distances(vectors: np.ndarray, row: int, others: np.ndarray) -> np.ndarray:
    """Cosine distances of some rows to one, (others,) float64."""
    distances = np.empty(len(others))
    for start in range(0, len(others), CHUNK):
        part = slice(start, start + CHUNK)
        distances[part] = 1 - _products(vectors[others[part]], vectors[row])
    return distances


def _nearest_to_mean(vectors: np.ndarray, rows: np.ndarray) -> int:
    """The row whose distance to the mean of all is smallest, of several the first."""
    if len(rows) == 1:
        return rows[0]
    members = vectors[rows]
    mean = members.mean(axis=0, dtype=np.float64)
    return rows[np.argmax(_products(members, mean).round(9))]


def _products(vectors: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Inner products, (n,) float64: the same ones however many threads BLAS has."""
    return np.einsum("ij,j->i", vectors, other, dtype=np.float64)
