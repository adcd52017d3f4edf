"""Rows: which vectors can be compared, and which of them are equal."""

from dataclasses import dataclass

import numpy as np

NORM_ERROR = 1e-6
"""How far from 1 the squared length of a unit vector may be."""


@dataclass(frozen=True)
class Rows:
    """The vectors that can be compared, equal ones once.

    usable    (m,) int, their rows in the input
    unusable  (k,) int, the other rows of the input: zero or not finite
    group     (m,) int, which distinct vector each of the m is
    vectors   (n, d) float32, the distinct ones in order of their first row,
              of length 1 by NORM_ERROR
    """

    usable: np.ndarray
    unusable: np.ndarray
    group: np.ndarray
    vectors: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """(n,) int, how many rows are equal to each distinct vector."""
        return np.bincount(self.group, minlength=len(self.vectors))


def sort_out(vectors: np.ndarray) -> Rows:
    """Set aside what has no direction, bring the rest to length 1 and fold equal rows.

    vectors  (n, d) of any float type

    Takes O(n d) time and memory.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    lengths = _lengths(vectors)
    good = np.isfinite(lengths) & (lengths > 0)
    if not good.all():
        vectors, lengths = vectors[good], lengths[good]
    vectors = _to_unit(vectors, lengths)
    group, first = _distinct(vectors)
    return Rows(
        np.flatnonzero(good),
        np.flatnonzero(~good),
        group,
        vectors if len(first) == len(vectors) else vectors[first],
    )


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """(n,) float64: the sum of float32 squares could overflow or vanish."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _to_unit(vectors: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Divide by the lengths, except where that would change nothing but last bits.

    So the distances between rows that are unit vectors already stay as the caller has
    them.
    """
    off = np.abs(lengths**2 - 1) > NORM_ERROR
    if not off.any():
        return vectors
    unit = np.empty_like(vectors)
    divisor = np.where(off, lengths, 1.0)[:, None]
    np.divide(vectors, divisor, out=unit, casting="same_kind")
    return unit


def _distinct(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number equal rows alike, in order of their first one.

    Returns (m,) int, the number of each row, and (n,) int, the first row of each number.
    """
    numbers: dict[bytes, int] = {}
    group = np.empty(len(vectors), np.intp)
    first = []
    for i, row in enumerate(vectors):
        group[i] = numbers.setdefault(row.tobytes(), len(first))
        if group[i] == len(first):
            first.append(i)
    return group, np.array(first, np.intp)
