"""Rows: which vectors can be compared, and which of them are equal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NORM_ERROR = 1e-6
"""How far from 1 the squared length of a unit vector may be."""


@dataclass(frozen=True)
class Rows:
    """The vectors that can be compared, equal ones once.

    Attributes:
        usable: (m,) int, their rows in the input.
        unusable: (k,) int, the other rows of the input: zero or not finite.
        group: (m,) int, which distinct vector each of the m is.
        vectors: (n, d) float32, the distinct ones in order of their first row, of
            length 1 within NORM_ERROR.
    """

    usable: NDArray[np.intp]
    unusable: NDArray[np.intp]
    group: NDArray[np.intp]
    vectors: NDArray[np.float32]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """How many rows are equal to each distinct vector, (n,) int."""
        return np.bincount(self.group, minlength=len(self.vectors))


def sort_out(vectors: NDArray[np.floating]) -> Rows:
    """Set aside what has no direction, bring the rest to length 1 and fold equal rows.

    Takes O(n d) time and memory.

    Args:
        vectors: (n, d) of any float type.
    """
    rows = np.ascontiguousarray(vectors, np.float32)
    lengths = _lengths(rows)
    good = np.isfinite(lengths) & (lengths > 0)
    if not good.all():
        rows, lengths = rows[good], lengths[good]
    rows = _to_unit(rows, lengths)
    group, first = _distinct(rows)
    return Rows(
        np.flatnonzero(good),
        np.flatnonzero(~good),
        group,
        rows if len(first) == len(rows) else rows[first],
    )


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The length of each row, (n,): the sum of float32 squares could overflow or vanish."""
    squares: NDArray[np.float64] = np.einsum(
        "ij,ij->i", vectors, vectors, dtype=np.float64
    )
    return np.sqrt(squares)


def _to_unit(
    vectors: NDArray[np.float32], lengths: NDArray[np.float64]
) -> NDArray[np.float32]:
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


def _distinct(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give equal rows the same number, in order of their first one.

    Returns:
        (m,), the number of each row, and (n,), the first row of each number.
    """
    numbers: dict[bytes, int] = {}
    group = np.empty(len(vectors), np.intp)
    first: list[int] = []
    for i, row in enumerate(vectors):
        group[i] = numbers.setdefault(row.tobytes(), len(first))
        if group[i] == len(first):
            first.append(i)
    return group, np.array(first, np.intp)
