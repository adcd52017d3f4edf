"""Near-duplicates: shots of one burst, and copies that were encoded, scaled or cropped again.

They count as one photo: one of each set represents all of them in the clustering, and the
others go where it goes. HDBSCAN knows no weights; and if that one weighed as much as its
whole set, a burst would be a cluster by itself, which must not happen.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dtst_flow.imaging.perceptual_hash import BITS

COPY_BITS = 2
"""In how many bits the hashes of copies differ, at most, whatever their vectors."""

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


@dataclass(frozen=True)
class Look:
    """What tells near-duplicates of n rows.

    Attributes:
        vectors: (n, d), rows of length 1. Those that are not finite are close to none.
        hashes: (n,), perceptual hashes.
        alike: Cosine distance of vectors that are close, at most; `embedders.MODELS` has
            it.
        bits: In how many bits hashes that are close differ, at most.
    """

    vectors: NDArray[np.float32]
    hashes: NDArray[np.uint64]
    alike: float
    bits: int = BITS

    def close(
        self,
        row: int,
        others: NDArray[np.intp],
        hashes: NDArray[np.uint64] | None = None,
    ) -> NDArray[np.bool_]:
        """Tell which of some rows are near-duplicates of one, (others,).

        Args:
            row: The one.
            others: The rows asked for.
            hashes: Theirs, if they are at hand.
        """
        hashes = self.hashes[others] if hashes is None else hashes
        unlike = np.bitwise_count(hashes ^ self.hashes[row])
        near: NDArray[np.bool_] = unlike <= self.bits
        asked = np.flatnonzero(near)
        distances = _distances(self.vectors, row, others[asked])
        copies = (unlike[asked] <= COPY_BITS) & np.isfinite(distances)
        near[asked] = (distances <= self.alike) | copies
        return near


def find(look: Look, least: int) -> Sets:
    """Find near-duplicates: alike to the eye and to the model, or copies to the eye.

    A set holds what is close to the row that stands for it: that nearest to the mean, or
    where that is not close to all, the first. Frames of a video are each close to the
    next; where such a chain has no row that all are close to, it makes several sets. If
    these are fewer than make a cluster, its frames count one by one, except copies.

    Compares hashes n**2 / 2 times at worst, in 3 s of CPU time for 100,000 rows, and
    vectors only where hashes are close. A row that has been reached is not compared
    again, so a folder full of copies takes less time, not more. Takes memory of the order
    of n, and for the vectors of the largest set.

    Args:
        look: The rows.
        least: How many images make a cluster.
    """
    of = np.full(len(look.hashes), -1)
    chosen: list[int] = []
    for chain in members(_chains(look)):
        sets = _sets(look, chain)
        if 1 < len(sets) < least <= len(chain):
            sets = _sets(replace(look, bits=COPY_BITS), chain)
        for rows in sets:
            of[rows] = len(chosen)
            chosen.append(_centre(look, rows))
    return _in_order(of, np.array(chosen, np.intp))


def _in_order(of: NDArray[np.intp], chosen: NDArray[np.intp]) -> Sets:
    """The sets, numbered in order of their first rows."""
    _, first = np.unique(of, return_index=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    return Sets(place[of], chosen[order])


def _sets(look: Look, chain: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Split a chain into sets, each close to its centre or to its first row."""
    if look.close(_nearest_to_mean(look.vectors, chain), chain).all():
        return [chain]
    sets, left = [], chain
    while len(left):
        near = look.close(int(left[0]), left)
        near[0] = True
        sets.append(left[near])
        left = left[~near]
    return sets


def _centre(look: Look, rows: NDArray[np.intp]) -> int:
    """The row that stands for a set."""
    centre = _nearest_to_mean(look.vectors, rows)
    return centre if look.close(centre, rows).all() else int(rows[0])


def members(of: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The rows of each set, given the set of each row, (n,)."""
    order = np.argsort(of, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of))[:-1]) if len(of) else []


def _chains(look: Look) -> NDArray[np.intp]:
    """Number the rows by what they are connected to, (n,).

    Follows the connections from row to row; `left` are the rows not reached yet.
    """
    of = np.full(len(look.hashes), -1)
    left, hashes = np.arange(len(look.hashes)), look.hashes
    number = 0
    while len(left):
        reached = [int(left[0])]
        of[left[0]] = number
        left, hashes = left[1:], hashes[1:]
        while reached and len(left):
            near = look.close(reached.pop(), left, hashes)
            if near.any():
                of[left[near]] = number
                reached.extend(left[near].tolist())
                left, hashes = left[~near], hashes[~near]
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
