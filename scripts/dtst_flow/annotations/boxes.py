"""The entries of a sidecar's ``classes``: check them, choose some, move them into a crop."""

import math
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

Classes = dict[str, list[dict[str, Any]]]
"""What a sidecar holds under ``classes``: the entries of each class."""

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels, x0 < x1 and y0 < y1."""

MEANT = "a box is left, top, right, bottom, in pixels of the upright image"

SLACK = 0.5
"""How far shares of an image may be beyond 0 and 1."""

FARTHEST = 2**31
"""From here on positions in pixels are in no image, and too large to calculate with."""

MOST = 10_000
"""Most boxes of an image."""

LONGEST = 100
"""Most characters of a class's name in what is told of a box."""


class BadEntry(Exception):
    """An entry that cannot be used; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One box of an image.

    Attributes:
        name: Its class, as the sidecar spells it.
        place: Its place in the list of its class, counted from 0; bad entries count.
        of: The length of that list.
        box: The box, which may reach outside the image.
        score: Its score; None if the sidecar gives none.
        more: The entry's other keys that are true in any crop: those with plain values,
            as a list or an object may well be about pixels.
    """

    name: str
    place: int
    of: int
    box: Box
    score: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


def read(classes: Any) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Read what a sidecar holds under ``classes``.

    Args:
        classes: Any JSON value.

    Returns:
        The entries that can be used, ordered by class and place, and (class, reason) for
        each that cannot.

    Raises:
        ValueError: The value is no object, or holds too many entries.
    """
    if not isinstance(classes, dict):
        raise ValueError("'classes' is no object")
    listed = sum(
        len(boxes) if isinstance(boxes, list) else 1 for boxes in classes.values()
    )
    if listed > MOST:
        raise ValueError(f"it has {listed} boxes, more than {MOST}")
    entries: list[Entry] = []
    bad: list[tuple[str, str]] = []
    for name, listed in sorted(classes.items()):
        if not isinstance(listed, list):
            bad.append((name, f"class {spelled(name)} holds no list of boxes"))
            continue
        for place, content in enumerate(listed):
            try:
                entries.append(_entry(name, place, len(listed), content))
            except BadEntry as error:
                bad.append((name, f"class {spelled(name)}, entry {place}: {error}"))
    return entries, bad


def spelled(name: str) -> str:
    """Write the name of a class, as it is told of each of its boxes."""
    return repr(name if len(name) <= LONGEST else f"{name[:LONGEST]}…")


def _entry(name: str, place: int, of: int, content: Any) -> Entry:
    if not isinstance(content, dict):
        raise BadEntry("it is no object with a box")
    box, score = content.get("box"), content.get("score")
    if score is not None and not _is_number(score):
        raise BadEntry(f"the score {reprlib.repr(score)} is no finite number")
    more = {
        key: value
        for key, value in content.items()
        if key not in ("box", "score") and not isinstance(value, list | dict)
    }
    return Entry(name, place, of, _checked(box), score, more)


def _checked(box: Any) -> Box:
    if not isinstance(box, list) or len(box) != 4:
        raise BadEntry("its box is no list of four numbers")
    if not all(map(_is_number, box)):
        raise BadEntry(f"its box {reprlib.repr(box)} holds what is no finite number")
    if not all(abs(value) < FARTHEST for value in box):
        raise BadEntry(f"its box {reprlib.repr(box)} lies beyond any image")
    x0, y0, x1, y1 = box
    if any(box) and _is_of_shares(box):
        raise BadEntry(
            f"its box {box} is in shares of the image, as it seems: {MEANT}; multiply by "
            "width and height"
        )
    if x1 < x0 or y1 < y0:
        raise BadEntry(
            f"its box {box} is inverted: {MEANT}; of left, top, width, height take the "
            "sums"
        )
    if x1 == x0 or y1 == y0:
        raise BadEntry(f"its box {box} has no area")
    return x0, y0, x1, y1


def _is_of_shares(box: Iterable[float]) -> bool:
    """Tell whether a box can only be meant in shares of the image; a pixel is no thing."""
    return all(-SLACK <= value <= 1 + SLACK for value in box)


def is_position(value: Any) -> bool:
    """Tell whether a JSON value is a number that can be a position in an image."""
    return _is_number(value) and abs(value) < FARTHEST


def _is_number(value: Any) -> bool:
    """Tell whether a JSON value is a finite number; true and false are not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < math.inf


def parse_classes(classes: str | list[str] | None) -> list[str] | None:
    """Split the classes that the user gave.

    Args:
        classes: A comma list, a list, or None for all classes.

    Returns:
        The classes one by one; None for all.
    """
    if isinstance(classes, str):
        classes = [name.strip() for name in classes.split(",") if name.strip()]
    return classes


def match(wanted: str, names: Iterable[str]) -> list[str]:
    """Find the names that a class may mean.

    Args:
        wanted: The class, as the user spells it.
        names: The names to choose from.

    Returns:
        The name of the same spelling; else all names that differ from it only by case.
    """
    names = list(names)
    if wanted in names:
        return [wanted]
    return [name for name in names if name.casefold() == wanted.casefold()]


def moved(entries: Iterable[Entry], crop: tuple[int, int, int, int]) -> Classes:
    """Make the ``classes`` of a crop's sidecar: the image's boxes, seen from the crop.

    Boxes are shifted, clipped to the crop and rounded to a hundredth of a pixel. Boxes of
    which nothing is left, or a pixel in the corner, are dropped, and so are classes
    without a box.

    Args:
        entries: Those of the image.
        crop: (x0, y0, x1, y1) in pixels of the image.
    """
    classes: Classes = {}
    for entry in entries:
        box = _clipped(entry.box, crop)
        if box is None:
            continue
        classes.setdefault(entry.name, []).append(content_of(replace(entry, box=box)))
    return classes


def content_of(entry: Entry) -> dict[str, Any]:
    """Return what a sidecar holds of an entry."""
    scored = {} if entry.score is None else {"score": entry.score}
    return {**scored, "box": list(entry.box), **entry.more}


def _clipped(box: Box, crop: tuple[int, int, int, int]) -> Box | None:
    """Give a box in pixels of the crop; None if not more than a pixel is inside."""
    left, top, right, bottom = crop
    x0, x1 = (round(min(max(x, left), right) - left, 2) for x in box[::2])
    y0, y1 = (round(min(max(y, top), bottom) - top, 2) for y in box[1::2])
    inside = (x0, y0, x1, y1)
    return inside if x0 < x1 and y0 < y1 and not _is_of_shares(inside) else None
