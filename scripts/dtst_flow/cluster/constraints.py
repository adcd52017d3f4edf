"""Relations between images that hold whatever the clustering finds.

The terms are those of constrained clustering (Wagstaff & Cardie, "Clustering with
Instance-level Constraints", 2000).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.labels import FILE, Bound, Images, Label, Sight


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
    bound: dict[tuple[str, str, str], list[Sight]] = field(default_factory=dict)


def make(labels: Iterable[Label], images: Images, bound: Bound) -> Constraints:
    """Find the images that the labels name, wherever they are by now.

    Args:
        labels: What the user says.
        images: All images.
        bound: What the images of a label showed when it was first read.
    """
    constraints = Constraints()
    for label in labels:
        before = bound.get(label.cells, ())
        rows, sights = [], []
        for place, name in enumerate(label.images):
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
    for a, b in cannot:
        for place, rows in enumerate(parts):
            if a in rows and b in rows:
                nearer_a = vectors[rows] @ vectors[a] >= vectors[rows] @ vectors[b]
                nearer_a[rows == b] = False
                parts[place : place + 1] = [rows[nearer_a], rows[~nearer_a]]
                break
    return parts


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
    sets = [set(rows.tolist()) for rows in clusters]
    refused = []
    for a, b in must:
        parts = [s for s in sets if a in s or b in s]
        united = {a, b}.union(*parts)
        if any(x in united and y in united for x, y in cannot):
            refused.append((a, b))
            continue
        sets = [s for s in sets if s not in parts] + [united]
    return [np.array(sorted(s)) for s in sets], refused
