"""The entries of a sidecar's ``classes``: checked one by one, chosen, moved into a crop."""

import math
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels, x0 < x1 and y0 < y1."""

FARTHEST = 2**31
"""Positions in pixels from here on are no image's, and too large to calculate with."""


class BadEntry(Exception):
    """An entry that cannot be used; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One box of an image.

    name   its class, as the sidecar spells it
    place  its place in the list of its class, counted from 0, bad entries too
    of     the length of that list
    box    may reach past the image edge
    score  None when the sidecar gives none
    more   the entry's other keys that hold in any crop: those with plain values, as a
           list or an object may well speak of pixels
    """

    name: str
    place: int
    of: int
    box: Box
    score: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


def read(classes: Any) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Read what a sidecar holds under ``classes``.

    Returns the entries that can be used, by class and place, and (class, reason) for
    each that cannot. Raises ValueError where it is no object of classes at all.
    """
    if not isinstance(classes, dict):
        raise ValueError("'classes' is no object")
    entries, bad = [], []
    for name, listed in sorted(classes.items()):
        if not isinstance(listed, list):
            bad.append((name, f"class {name!r} holds no list of boxes"))
            continue
        for place, content in enumerate(listed):
            try:
                entries.append(_entry(name, place, len(listed), content))
            except BadEntry as error:
                bad.append((name, f"class {name!r}, entry {place}: {error}"))
    return entries, bad


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
    if x1 < x0 or y1 < y0:
        raise BadEntry(f"its box {box} is inverted")
    if x1 == x0 or y1 == y0:
        raise BadEntry(f"its box {box} has no area")
    return x0, y0, x1, y1


def is_position(value: Any) -> bool:
    """Whether a JSON value is a number that may place something in an image."""
    return _is_number(value) and abs(value) < FARTHEST


def _is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number; true and false are not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < math.inf


def parse_classes(classes: str | list[str] | None) -> list[str] | None:
    """Classes as given by the user, a comma list or a list, one by one; None for all."""
    if isinstance(classes, str):
        classes = [name.strip() for name in classes.split(",") if name.strip()]
    return classes


def match(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that a class asked for means: spelled just so, else but for upper case.

    More than one only where just the case tells several apart and none is spelled so.
    """
    names = list(names)
    if wanted in names:
        return [wanted]
    return [name for name in names if name.casefold() == wanted.casefold()]


def moved(entries: Iterable[Entry], crop: tuple[int, int, int, int]) -> dict:
    """The ``classes`` of a crop's sidecar: all boxes of the image, seen from the crop.

    entries  those of the image
    crop     (x0, y0, x1, y1) in pixels of the image

    Boxes are shifted, clipped to the crop and rounded to a hundredth of a pixel; those
    of which nothing is left are dropped, and so are classes without a box.
    """
    classes: dict[str, list] = {}
    for entry in entries:
        box = _clipped(entry.box, crop)
        if box is None:
            continue
        scored = {} if entry.score is None else {"score": entry.score}
        content = {**scored, "box": box, **entry.more}
        classes.setdefault(entry.name, []).append(content)
    return classes


def _clipped(box: Box, crop: tuple[int, int, int, int]) -> list[float] | None:
    """A box in pixels of the crop, None when it lies outside."""
    left, top, right, bottom = crop
    x0, x1 = (round(min(max(x, left), right) - left, 2) for x in box[::2])
    y0, y1 = (round(min(max(y, top), bottom) - top, 2) for y in box[1::2])
    return [x0, y0, x1, y1] if x0 < x1 and y0 < y1 else None
