"""The file ``labels.csv`` in a bucket of clusters, in which the user says what is known better.

    relation,image,other
    must-link,faces/a_00.jpg,faces/b_00.jpg
    cannot-link,faces/a_00.jpg,faces/c_00.jpg
    name,faces/a_00.jpg,Ann
    reject,faces/d_00.jpg,no face
    not,faces/e_00.jpg,Ann

It is the user's: spreadsheets, other tools and hands write it, and what dtst adds leaves
every other line as it is, byte for byte.
"""

import csv
import io
import itertools
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.utils import locks
from dtst_flow.utils.files import read_bytes, temporary, write_atomic

FILE = "labels.csv"
"""Name of the file in the bucket of the clusters."""

LARGEST = 256_000_000
"""Most bytes of the file: some three million lines."""

COLUMNS = ["relation", "image", "other"]
RELATIONS = ("must-link", "cannot-link", "name", "reject", "not")

BOM = b"\xef\xbb\xbf"
"""Begins UTF-8 as spreadsheets write it."""

WIDE = (b"\xff\xfe", b"\xfe\xff")
"""Begin UTF-16."""

_BEGIN = re.compile(rf'\s*"?(?:{"|".join([*RELATIONS, COLUMNS[0]])})"?\s*([,;])')
"""How a line begins that tells its delimiter."""

Cells = tuple[str, str, str]
"""Relation, image, other; by these a line is known from run to run."""


class LabelsRefused(Exception):
    """The file cannot be read or written to; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Label:
    """A line of the file.

    Attributes:
        number: Its number, from 1 on.
        relation: One of RELATIONS.
        image: An image, or a cluster of images.
        other: Another one; of a name, the name; of a reject, why, or "".
    """

    number: int
    relation: str
    image: str
    other: str

    @property
    def cells(self) -> Cells:
        """What it says."""
        return self.relation, self.image, self.other


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, which is several where a name in quotes has an end of line in it.

    Attributes:
        number: That of its first, from 1 on.
        text: All of it, its end included.
        delimiter: What is between its cells.
        cells: Them, without the blanks around.
    """

    number: int
    text: str
    delimiter: str
    cells: list[str]

    @property
    def is_label(self) -> bool:
        """Whether it is to be one: neither empty nor the header nor a comment."""
        cells = self.cells
        return any(cells) and cells != COLUMNS and not cells[0].startswith("#")


def read(path: str | Path) -> tuple[list[Label], list[str]]:
    """Read the file; without one nothing is known.

    Returns:
        Its lines, and why others have no effect.
    """
    path = Path(path)
    if not path.exists():
        return [], []
    labels, faults = [], []
    try:
        with _opened(path) as text:
            for line in filter(lambda line: line.is_label, _lines(text)):
                if fault := _fault(line.cells):
                    faults.append(f"{path}, line {line.number}: {fault}")
                else:
                    labels.append(Label(line.number, *_cells(line)))
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        return [], [f"{path} cannot be read: {reason}"]
    return labels, faults


def edit(
    path: str | Path, add: Sequence[Cells] = (), remove: Collection[Cells] = ()
) -> None:
    """Take lines out of the file and add others at its end, if they are not there yet.

    All else stays byte for byte; new lines are like those that are there. Of an edit by
    somebody else in between nothing is lost.

    Args:
        path: The file; one with a header is made where none is.
        add: The lines to add.
        remove: The lines to take out, wherever they are.

    Raises:
        LabelsRefused: It cannot be read, or be written to.
    """
    path = Path(path)
    if path.is_symlink():
        raise LabelsRefused(
            f"{path} is a link, and dtst writes into none; put the file itself there"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locks.hold(path.parent):
            while not _edited(path, add, remove):
                pass
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise LabelsRefused(f"{path} cannot be written to: {reason}") from error


def _edited(path: Path, add: Sequence[Cells], remove: Collection[Cells]) -> bool:
    """Edit the file; returns False if somebody else did so meanwhile."""
    before = _content(path)
    after = _with(before or b"", add, remove)
    if after == before or (before is None and not add):
        return True
    with temporary(path) as new:
        write_atomic(
            new, after, durable=True, like=path if before is not None else None
        )
        unchanged = _content(path) == before
        if unchanged:
            os.replace(new, path)
    return unchanged


def _content(path: Path) -> bytes | None:
    """What the file holds, None if there is none."""
    try:
        return read_bytes(path, LARGEST)
    except FileNotFoundError:
        return None


def _with(before: bytes, add: Sequence[Cells], remove: Collection[Cells]) -> bytes:
    """What the file is to hold after an edit."""
    lines = list(_lines(_text(before)))
    kept = [line for line in lines if not (line.is_label and _cells(line) in remove)]
    there = {_cells(line) for line in kept if line.is_label}
    new = [cells for cells in dict.fromkeys(add) if cells not in there]
    texts = [line.text for line in kept]
    ends = [
        end for end in ("\r\n", "\n", "\r") if lines and lines[0].text.endswith(end)
    ]
    end = ends[0] if ends else "\n"
    if new and texts and not texts[-1].endswith(("\n", "\r")):
        texts.append(end)
    delimiter = _main_delimiter(lines)
    header = [] if lines else [COLUMNS]
    texts += [text_of(cells, delimiter, end) for cells in [*header, *new]]
    mark = BOM if before.startswith(BOM) else b""
    return mark + "".join(texts).encode("utf-8", "surrogateescape")


def text_of(cells: Sequence[str], delimiter: str = ",", end: str = "") -> str:
    """Write a line as it stands in the file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()


def _opened(path: Path) -> io.TextIOBase:
    """The text of the file. Raises OSError."""
    return _text(read_bytes(path, LARGEST))


def _text(content: bytes) -> io.TextIOBase:
    """Read content as text. Raises OSError."""
    if content.startswith(WIDE):
        raise OSError("it is UTF-16; save it as UTF-8 (CSV UTF-8 in a spreadsheet)")
    bytes_ = io.BytesIO(content)
    return io.TextIOWrapper(bytes_, "utf-8-sig", "surrogateescape", newline="")


def _lines(text: io.TextIOBase) -> Iterator[_Line]:
    """Yield line by line: there may be a million.

    Lines that were added to a spreadsheet's by hand may have another delimiter, and each
    tells its own.
    """
    number, delimiter = 1, ","
    physical = iter(text)
    for first in physical:
        if begin := _BEGIN.match(first):
            delimiter = begin[1]
        if '"' not in first or first.lstrip().startswith("#"):
            # Nearly all: without quotes, or with some that mean nothing.
            cells, whole, height = first.rstrip("\r\n").split(delimiter), first, 1
        else:
            parts: list[str] = []
            rest = _keeping(itertools.chain([first], physical), parts)
            cells = next(csv.reader(rest, delimiter=delimiter))
            whole, height = "".join(parts), len(parts)
        yield _Line(number, whole, delimiter, _trimmed(cells))
        number += height


def _keeping(lines: Iterator[str], kept: list[str]) -> Iterator[str]:
    """Yield lines, and keep those that were asked for."""
    for line in lines:
        kept.append(line)
        yield line


def _trimmed(cells: list[str]) -> list[str]:
    """Cells without the blanks around them, and without those that fill up a table."""
    cells = [cell.strip() for cell in cells]
    while len(cells) > len(COLUMNS) and not cells[-1]:
        cells.pop()
    return cells


def _main_delimiter(lines: Sequence[_Line]) -> str:
    """What is between the cells of the first line that is none of the user's comments."""
    found = (line.delimiter for line in lines if _BEGIN.match(line.text))
    return next(found, ",")


def _cells(line: _Line) -> Cells:
    """The cells of a line; nobody has to say why an image is rejected."""
    relation, image, other = (*line.cells, "", "")[: len(COLUMNS)]
    return relation, image, other


def _fault(cells: list[str]) -> str:
    """What is wrong with a line by itself; "" if nothing is."""
    relation, *rest = cells
    if relation not in RELATIONS:
        return f"the relation {relation!r} is none of {', '.join(RELATIONS)}"
    if len(rest) + 1 != len(COLUMNS) and not (relation == "reject" and len(rest) == 1):
        return f"it has {len(cells)} cells, not {len(COLUMNS)} ({', '.join(COLUMNS)})"
    image, other = (*rest, "")[:2]
    if not image or not (other or relation == "reject"):
        return "a cell is empty"
    if relation not in ("name", "reject") and image == other:
        return "an image is linked to itself"
    return ""
