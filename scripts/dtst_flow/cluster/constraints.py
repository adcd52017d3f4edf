"""What the user knows of the clusters: ``labels.csv`` in their bucket, written by hand.

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

FILE = "labels.csv"
"""Its name in the bucket of the clusters."""

COLUMNS = ["relation", "image", "other"]


@dataclass(frozen=True)
class Constraints:
    """Relations between images, by their rows.

    must, cannot  pairs of rows
    names         row -> the name of the cluster that it is in
    faults        why lines of the file are of no effect
    """

    must: list[tuple[int, int]] = field(default_factory=list)
    cannot: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read(path: Path, images: Sequence[str]) -> Constraints:
    """Read the constraints in a file; without one there are none.

    images  the path of each row
    """
    found = Constraints()
    if not path.exists():
        return found
    try:
        # Spreadsheets begin UTF-8 with a byte order mark.
        text = path.read_text("utf-8-sig", errors="surrogateescape")
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except (OSError, csv.Error) as error:
        found.faults.append(f"{path} cannot be read: {error}")
        return found
    rows = {image: row for row, image in enumerate(images)}
    for number, cells in enumerate(lines, 1):
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells == COLUMNS or cells[0].startswith("#"):
            continue
        fault = _take(cells, rows, found)
        if fault:
            found.faults.append(f"{path}, line {number}: {fault}")
    return found


def _take(cells: list[str], rows: dict[str, int], found: Constraints) -> str | None:
    """Add one line to what was found, or tell what is wrong with it."""
    if len(cells) != len(COLUMNS):
        return f"it has {len(cells)} cells, not {len(COLUMNS)} ({', '.join(COLUMNS)})"
    relation, image, other = cells
    if relation not in ("must-link", "cannot-link", "name"):
        return f"the relation {relation!r} is none of must-link, cannot-link, name"
    if image not in rows:
        return f"no image is called {image!r}"
    if relation == "name":
        found.names[rows[image]] = other
        return None
    if other not in rows:
        return f"no image is called {other!r}"
    if image == other:
        return "an image is linked to itself"
    pairs = found.must if relation == "must-link" else found.cannot
    pairs.append((rows[image], rows[other]))
    return None


def split(
    vectors: np.ndarray,
    clusters: Iterable[np.ndarray],
    cannot: Iterable[tuple[int, int]],
    min_cluster_size: int,
) -> list[np.ndarray]:
    """Part clusters that hold two images which must not be together.

    vectors   (n, d) float32, rows of length 1
    clusters  the rows of each

    Every row goes with the nearer one of the two; a part with fewer rows than
    `min_cluster_size` is no cluster.
    """
    clusters = list(clusters)
    for a, b in cannot:
        for place, rows in enumerate(clusters):
            if a in rows and b in rows:
                nearer_a = vectors[rows] @ vectors[a] >= vectors[rows] @ vectors[b]
                nearer_a[rows == b] = False
                clusters[place : place + 1] = [rows[nearer_a], rows[~nearer_a]]
                break
    return [rows for rows in clusters if len(rows) >= min_cluster_size]


def merge(
    clusters: Iterable[np.ndarray],
    must: Iterable[tuple[int, int]],
    cannot: Iterable[tuple[int, int]],
) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Unite the clusters of images that must be together; noise joins what it is linked to.

    Returns the clusters, and the pairs that stay apart because uniting them would bring
    two together that must not be.
    """
    sets = [set(rows.tolist()) for rows in clusters]
    refused = []
    for a, b in must:
        ours = [s for s in sets if a in s or b in s]
        united = set().union({a, b}, *ours)
        if any(x in united and y in united for x, y in cannot):
            refused.append((a, b))
            continue
        sets = [s for s in sets if s not in ours] + [united]
    return [np.array(sorted(s)) for s in sets], refused
