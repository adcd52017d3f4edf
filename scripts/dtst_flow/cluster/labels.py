"""What the user knows about the clusters: ``labels.csv`` in their bucket, written by hand.

    relation,image,other
    must-link,faces/a_00.jpg,faces/b_00.jpg
    cannot-link,faces/a_00.jpg,faces/c_00.jpg
    name,faces/a_00.jpg,Ann

Images are named as in clusters.json. A line is bound to what it names when it is first
read: a face by the content of its photo and its box, another image by its content. So it
stays with it when files are renamed, waits while it is away, and never passes to another.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtst_flow.dataset.subjects import SAME_BOX, overlap
from dtst_flow.imaging.perceptual_hash import BITS
from dtst_flow.utils.files import read_bytes, read_json

FILE = "labels.csv"
"""Name of the file in the bucket of the clusters."""

LARGEST = 256_000_000
"""Most bytes of the file: some three million lines."""

COLUMNS = ["relation", "image", "other"]
RELATIONS = ("must-link", "cannot-link", "name")


@dataclass(frozen=True, slots=True)
class Label:
    """A line of the file.

    Attributes:
        number: Its number, from 1 on.
        relation: One of RELATIONS.
        image: An image.
        other: Another image; of a name, the name.
    """

    number: int
    relation: str
    image: str
    other: str

    @property
    def cells(self) -> tuple[str, str, str]:
        """What it says; by this a line is known from run to run."""
        return self.relation, self.image, self.other

    @property
    def images(self) -> tuple[str, ...]:
        """The images that it names."""
        both = self.image, self.other
        return both[:1] if self.relation == "name" else both


@dataclass(frozen=True, slots=True)
class Sight:
    """What an image shows, whatever its file is called.

    Attributes:
        digest: Of the photo that a face is of, or else of the image's own content.
        box: The face's in the photo: left, top, right, bottom in pixels; () without one.
        look: The image's perceptual hash, 64 bits.
    """

    digest: str
    box: tuple[float, ...]
    look: int

    def is_of(self, other: "Sight") -> bool:
        """Whether both show the same part of the same content."""
        if self.digest != other.digest or bool(self.box) != bool(other.box):
            return False
        return not self.box or overlap(self.box, other.box) >= SAME_BOX

    def looks_like(self, other: "Sight") -> bool:
        """Whether an eye would take both for copies, as of a photo saved anew."""
        return (self.look ^ other.look).bit_count() <= BITS


Bound = Mapping[tuple[str, str, str], Sequence[Sight]]
"""`Label.cells` -> what each of its images showed when the line was first read."""


class Images:
    """The images of a clustering, to be found by name and by what they show."""

    def __init__(self, paths: Sequence[str], sights: Sequence[Sight]) -> None:
        self.paths = paths
        self.sights = sights
        self._by_path = {path: row for row, path in enumerate(paths)}
        self._by_digest: dict[str, list[int]] = {}
        for row, sight in enumerate(sights):
            self._by_digest.setdefault(sight.digest, []).append(row)

    def named(self, path: str) -> int | None:
        """The row of an image by its name."""
        return self._by_path.get(path)

    def showing(self, sight: Sight, name: str) -> int | None:
        """The row of the image that shows a sight; of copies, the one of this name."""
        found = [
            row
            for row in self._by_digest.get(sight.digest, ())
            if self.sights[row].is_of(sight)
        ]
        if found:
            return min(
                found, key=lambda row: (self.paths[row] != name, self.paths[row])
            )
        row = self.named(name)
        if row is not None and self.sights[row].looks_like(sight):
            return row
        return None


def read(path: Path) -> tuple[list[Label], list[str]]:
    """Read the file; without one nothing is known.

    Returns:
        Its lines, and why others have no effect.
    """
    if not path.exists():
        return [], []
    labels, faults = [], []
    try:
        for number, cells in enumerate(_lines(path), 1):
            cells = [cell.strip() for cell in cells]
            if not any(cells) or cells == COLUMNS or cells[0].startswith("#"):
                continue
            if fault := _fault(cells):
                faults.append(f"{path}, line {number}: {fault}")
            else:
                labels.append(Label(number, *cells))
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        return [], [f"{path} cannot be read: {reason}"]
    return labels, faults


def _lines(path: Path) -> Iterator[list[str]]:
    """Yield the cells of each line, one after the other: there may be a million."""
    content = io.BytesIO(read_bytes(path, LARGEST))
    # Spreadsheets begin UTF-8 with a byte order mark.
    text = io.TextIOWrapper(content, "utf-8-sig", "surrogateescape", newline="")
    yield from csv.reader(text)


def _fault(cells: list[str]) -> str:
    """What is wrong with a line by itself; "" if nothing is."""
    if len(cells) != len(COLUMNS):
        return f"it has {len(cells)} cells, not {len(COLUMNS)} ({', '.join(COLUMNS)})"
    relation, image, other = cells
    if relation not in RELATIONS:
        return f"the relation {relation!r} is none of {', '.join(RELATIONS)}"
    if relation != "name" and image == other:
        return "an image is linked to itself"
    return ""


def read_bound(path: Path) -> dict[tuple[str, str, str], tuple[Sight, ...]]:
    """Read what `to_json` gave; nothing is bound where it is missing or garbage."""
    try:
        return {
            tuple(row["label"]): tuple(
                Sight(each["digest"], tuple(each["box"]), int(each["look"], 16))
                for each in row["sights"]
            )
            for row in read_json(path)
        }
    except (OSError, LookupError, RecursionError, TypeError, ValueError):
        return {}


def to_json(bound: Bound) -> list[dict[str, Any]]:
    """What is bound, as a JSON value."""
    return [
        {
            "label": cells,
            "sights": [
                {"digest": s.digest, "box": s.box, "look": f"{s.look:016x}"}
                for s in sights
            ],
        }
        for cells, sights in bound.items()
    ]
