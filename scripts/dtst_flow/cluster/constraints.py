"""What the user knows about the clusters: ``labels.csv`` in their bucket, written by hand.

    relation,image,other
    must-link,faces/a_00.jpg,faces/b_00.jpg
    cannot-link,faces/a_00.jpg,faces/c_00.jpg
    name,faces/a_00.jpg,Ann

Images are named as in clusters.json. The terms are those of constrained clustering
(Wagstaff & Cardie, "Clustering with Instance-level Constraints", 2000).
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = "labels.csv"
"""Name of the file in the bucket of the clusters."""

COLUMNS = ["relation", "image", "other"]


@dataclass(frozen=True)
class Constraints:
    """Relations between images, by their rows.

    Attributes:
        must: Pairs of rows that must be in one cluster.
        cannot: Pairs of rows that must not be in one cluster.
        names: Row -> the name of the cluster that it is in.
        faults: Why lines of the file have no effect.
    """

    must: list[tuple[int, int]] = field(default_factory=list)
    cannot: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read(path: Path, images: Sequence[str]) -> Constraints:
    """Read the constraints in a file; without a file there are none.

    Args:
        path: The file.
        images: The path of each row.
    """
    constraints = Constraints()
    if not path.exists():
        return constraints
    try:
        # Spreadsheets begin UTF-8 with a byte order mark.
        text = path.read_text("utf-8-sig", errors="surrogateescape")
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except (OSError, csv.Error) as error:
        constraints.faults.append(f"{path} cannot be read: {error}")
        return constraints
    rows = {image: row for row, image in enumerate(images)}
    for number, cells in enumerate(lines, 1):
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells == COLUMNS or cells[0].startswith("#"):
            continue
        fault = _add_line(constraints, cells, rows)
        if fault:
            constraints.faults.append(f"{path}, line {number}: {fault}")
    return constraints


def _add_line(
    constraints: Constraints, cells: list[str], rows: dict[str, int]
) -> str | None:
    """Add one line to the constraints, or return what is wrong with it."""
    if len(cells) != len(COLUMNS):
        return f"it has {len(cells)} cells, not {len(COLUMNS)} ({', '.join(COLUMNS)})"
    relation, image, other = cells
    if relation not in ("must-link", "cannot-link", "name"):
        return f"the relation {relation!r} is none of must-link, cannot-link, name"
    if image not in rows:
        return f"no image is called {image!r}"
    if relation == "name":
        constraints.names[rows[image]] = other
        return None
    if other not in rows:
        return f"no image is called {other!r}"
    if image == other:
        return "an image is linked to itself"
    pairs = constraints.must if relation == "must-link" else constraints.cannot
    pairs.append((rows[image], rows[other]))
    return None


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
