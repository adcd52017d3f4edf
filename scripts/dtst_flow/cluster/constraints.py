"""Relations between images that hold whatever the clustering finds.

The terms are those of constrained clustering (Wagstaff & Cardie, "Clustering with
Instance-level Constraints", 2000).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.label_file import FILE, Cells, Label
from dtst_flow.cluster.labels import Bound, Images, Sight


@dataclass(frozen=True)
class Constraints:
    """Relations between images, by their rows.

    Attributes:
        must: Pairs of rows that must be in one cluster.
        cannot: Pairs of rows that must not be in one cluster.
        names: Row -> the name of the cluster that it is in.
        faults: Why labels have no effect, or what their images are called now.
        bound: Labels that name images which are or were there -> what these show.
    """

    must: list[tuple[int, int]] = field(default_factory=list)
    cannot: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    bound: dict[Cells, list[Sight]] = field(default_factory=dict)


def make(labels: Iterable[Label], images: Images, bound: Bound) -> Constraints:
    """Find the images that the labels name, wherever they are by now.

    Args:
        labels: What the user says.
        images: All images.
        bound: What the images of a label showed when it was first read.
    """
    constraints = Constraints()
    for label in labels:
        if label.relation in ("reject", "not"):
            continue
        before = bound.get(label.cells, ())
        rows, sights = [], []
        for place, name in enumerate(_images_of(label)):
            sight = before[place] if place < len(before) else None
            row = images.named(name) if sight is None else images.showing(sight, name)
            rows.append(row)
            sights.append(sight if row is None else images.sights[row])
            if told := _told(name, row, sight, images):
                constraints.faults.append(f"{FILE}, line {label.number}: {told}")
        known = [sight for sight in sights if sight is not None]
        if len(known) == len(sights):
            constraints.bound[label.cells] = known
        _add(constraints, label, rows)
    return constraints


def _images_of(label: Label) -> tuple[str, ...]:
    """The images that a label names."""
    both = label.image, label.other
    return both[:1] if label.relation == "name" else both


def _told(name: str, row: int | None, sight: Sight | None, images: Images) -> str:
    """What the user is to know of an image that a label names; "" if nothing."""
    if row is not None:
        now = images.paths[row]
        return "" if now == name else f"{name!r} is called {now!r} now"
    if sight is None:
        return f"no image is called {name!r}"
    if images.named(name) is None:
        return f"{name!r} is not here now; the line waits for it"
    return (
        f"{name!r} is another picture than the one the line was written for, and waits "
        "for that; to mean this one, take the line out, run, and write it again"
    )


def _add(constraints: Constraints, label: Label, rows: Sequence[int | None]) -> None:
    """Add what a label says of rows, if none of them is missing or twice the same."""
    found = [row for row in rows if row is not None]
    if len(found) < len(rows) or len(set(found)) < len(found):
        return
    if label.relation == "name":
        constraints.names[found[0]] = label.other
    else:
        must = label.relation == "must-link"
        pairs = constraints.must if must else constraints.cannot
        pairs.append((found[0], found[1]))


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
        self._foes: defaultdict[int, set[int]] = defaultdict(set)
        self._united = 0
        for x, y in cannot:
            a, b = self._set_of(x), self._set_of(y)
            self._foes[a].add(b)
            self._foes[b].add(a)

    def _set_of(self, row: int) -> int:
        """The number of a row's set; noise gets one of its own."""
        if row not in self._of:
            self._of[row] = len(self._rows)
            self._rows.append({row})
        return self._of[row]

    def unite(self, x: int, y: int) -> bool:
        """Unite the sets of two rows; returns whether that may be."""
        a, b = self._set_of(x), self._set_of(y)
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

    def _take(self, a: int, b: int) -> None:
        """Bring all of set `b` into set `a`."""
        self._rows[a] |= self._rows[b]
        self._of.update(dict.fromkeys(self._rows[b], a))
        for foe in self._foes.pop(b):
            self._foes[foe].discard(b)
            self._foes[foe].add(a)
            self._foes[a].add(foe)
        self._rows[b] = set()
        self._last.pop(b, None)

    def several(self) -> list[NDArray[np.intp]]:
        """The sets that were there and those that were united, by when that was."""
        order = sorted(self._last, key=lambda i: (self._last[i], i))
        return [np.array(sorted(self._rows[i]), np.intp) for i in order]
