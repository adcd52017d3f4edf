"""Relations between images that hold whatever the clustering finds.

The terms are those of constrained clustering (Wagstaff & Cardie, "Clustering with
Instance-level Constraints", 2000).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def expel(
    clusters: Iterable[NDArray[np.intp]], alone: Iterable[tuple[int, int]]
) -> list[NDArray[np.intp]]:
    """Take images out of clusters that they do not belong to; what is left stays one.

    Args:
        clusters: The rows of each cluster.
        alone: Pairs of rows of which the first is not to be with the second.

    Returns:
        The rows of each cluster that has two and more, in their order.
    """
    parts = list(clusters)
    of = {int(row): part for part, rows in enumerate(parts) for row in rows}
    leaving = {a for a, b in alone if a in of and of[a] == of.get(b)}
    if not leaving:
        return parts
    out = np.array(sorted(leaving), np.intp)
    left = [np.setdiff1d(rows, out) for rows in parts]
    return [
        rows
        for rows, before in zip(left, parts, strict=True)
        if len(rows) > 1 or len(rows) == len(before)
    ]


def conflicts(
    must: Iterable[tuple[int, int]], cannot: Sequence[tuple[int, int]]
) -> dict[int, int]:
    """Find the pairs that cannot be together with those before them.

    Args:
        must: Pairs of rows that must be together.
        cannot: Pairs of rows that must not.

    Returns:
        The place of such a pair in `must` -> that in `cannot` of one that is against it.
    """
    sets = _Sets([], cannot)
    against = {}
    for place, pair in enumerate(must):
        if not sets.unite(*pair):
            against[place] = sets.against(*pair)
    return against


def split(
    vectors: NDArray[np.float32],
    clusters: Iterable[NDArray[np.intp]],
    cannot: Iterable[tuple[int, int]],
) -> list[NDArray[np.intp]]:
    """Split clusters that hold two images which must not be together.

    Every row goes with the nearer one of the two.

    Args:
        vectors: (n, d), rows of length 1.
        clusters: The rows of each cluster.
        cannot: Pairs of rows that must not be together.

    Returns:
        The rows of each part.
    """
    parts = list(clusters)
    heads = range(len(parts))
    after: dict[int, int | None] = {}  # a part -> the one that was last split off it
    of = np.full(len(vectors), -1, np.intp)
    for part, rows in enumerate(parts):
        of[rows] = part
    for a, b in cannot:
        part = int(of[a])
        if part < 0 or part != of[b]:
            continue
        rows = parts[part]
        nearer_a = vectors[rows] @ vectors[a] >= vectors[rows] @ vectors[b]
        nearer_a[rows == b] = False
        parts[part] = rows[nearer_a]
        of[rows[~nearer_a]] = len(parts)
        after[part], after[len(parts)] = len(parts), after.get(part)
        parts.append(rows[~nearer_a])
    ordered = []
    for head in heads:
        at: int | None = head
        while at is not None:
            ordered.append(parts[at])
            at = after.get(at)
    return ordered


def merge(
    clusters: Iterable[NDArray[np.intp]],
    must: Iterable[tuple[int, int]],
    cannot: Iterable[tuple[int, int]],
) -> tuple[list[NDArray[np.intp]], list[tuple[int, int]]]:
    """Unite the clusters of images that must be together; noise joins what it is linked to.

    Args:
        clusters: The rows of each cluster.
        must: Pairs of rows that must be together.
        cannot: Pairs of rows that must not be together.

    Returns:
        The rows of each cluster, and the pairs that stay apart because uniting them would
        bring two rows together that must not be.
    """
    sets = _Sets(clusters, cannot)
    refused = [pair for pair in must if not sets.unite(*pair)]
    return sets.several(), refused


class _Sets:
    """Disjoint sets of rows, and which of them must stay apart.

    Of two that are united the smaller is changed, so that a million pairs take seconds.

    Args:
        clusters: The sets to begin with.
        cannot: Pairs of rows that must not be in one set.
    """

    def __init__(
        self,
        clusters: Iterable[NDArray[np.intp]],
        cannot: Iterable[tuple[int, int]],
    ) -> None:
        self._rows = [set(rows.tolist()) for rows in clusters]
        self._of = {row: i for i, rows in enumerate(self._rows) for row in rows}
        self._last = dict.fromkeys(range(len(self._rows)), -1)
        # The sets that one must stay apart from -> the place in `cannot` that says so.
        self._foes: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._united = 0
        for place, (x, y) in enumerate(cannot):
            a, b = self.of(x), self.of(y)
            self._foes[a].setdefault(b, place)
            self._foes[b].setdefault(a, place)

    def of(self, row: int) -> int:
        """The number of a row's set; noise gets one of its own."""
        if row not in self._of:
            self._of[row] = len(self._rows)
            self._rows.append({row})
        return self._of[row]

    def unite(self, x: int, y: int) -> bool:
        """Unite the sets of two rows; returns whether that may be."""
        a, b = self.of(x), self.of(y)
        if a in self._foes[a] or b in self._foes[b] or b in self._foes[a]:
            return False
        weights = (len(self._rows[i]) + len(self._foes[i]) for i in (a, b))
        if a != b and next(weights) < next(weights):
            a, b = b, a
        if a != b:
            self._take(a, b)
        self._united += 1
        self._last[a] = self._united
        return True

    def against(self, x: int, y: int) -> int:
        """The place in `cannot` that keeps the sets of two rows apart."""
        a, b = self.of(x), self.of(y)
        foes = ((a, b), (a, a), (b, b))
        return next(self._foes[one][foe] for one, foe in foes if foe in self._foes[one])

    def _take(self, a: int, b: int) -> None:
        """Bring all of set `b` into set `a`."""
        self._rows[a] |= self._rows[b]
        self._of.update(dict.fromkeys(self._rows[b], a))
        for foe, place in self._foes.pop(b).items():
            self._foes[foe].pop(b, None)
            self._foes[foe].setdefault(a, place)
            self._foes[a].setdefault(foe, place)
        self._rows[b] = set()
        self._last.pop(b, None)

    def several(self) -> list[NDArray[np.intp]]:
        """The sets that were there and those that were united, by when that was."""
        order = sorted(self._last, key=lambda i: (self._last[i], i))
        return [np.array(sorted(self._rows[i]), np.intp) for i in order]
