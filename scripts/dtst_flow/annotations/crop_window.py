"""Which whole pixels of an image a crop shows, given a box.

Windows are (x0, y0, x1, y1) in whole pixels of the upright image, from pixel x0 up to, but
not including, x1. Boxes are continuous positions; (0, 0) is the outer corner of the top
left pixel.

Halves are rounded up: a box moved by whole pixels moves its window by the same.
"""

import math
from collections.abc import Sequence

Window = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in whole pixels, x0 < x1 and y0 < y1."""


def around(box: Sequence[float], square: bool = False, margin: float = 0.0) -> Window:
    """Find the window of a box; it may reach outside the image.

    Width and height are rounded to the nearest whole pixel, and are at least one; then
    the window is placed so that its centre is as near as possible to the box's.

    Args:
        box: (x0, y0, x1, y1).
        square: Whether the shorter side is made as long as the longer, about the centre.
        margin: What is added on all four sides, as a fraction of the longer side.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    longer = max(width, height)
    if square:
        width = height = longer
    left, right = _span((x0 + x1) / 2, width + 2 * margin * longer)
    top, bottom = _span((y0 + y1) / 2, height + 2 * margin * longer)
    return left, top, right, bottom


def _span(centre: float, length: float) -> tuple[int, int]:
    whole = max(1, _round(length))
    start = _round(centre - whole / 2)
    return start, start + whole


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def reaches_outside(window: Window, width: int, height: int) -> bool:
    """Tell whether a part of a window is outside an image.

    Args:
        window: The window.
        width: That of the image, in pixels.
        height: That of the image, in pixels.
    """
    x0, y0, x1, y1 = window
    return x0 < 0 or y0 < 0 or x1 > width or y1 > height


def touches(box: Sequence[float], width: int, height: int) -> bool:
    """Tell whether a box and an image share an area.

    Args:
        box: (x0, y0, x1, y1).
        width: That of the image, in pixels.
        height: That of the image, in pixels.
    """
    x0, y0, x1, y1 = box
    return x0 < width and y0 < height and x1 > 0 and y1 > 0


def within(window: Window, width: int, height: int, square: bool = False) -> Window:
    """Bring a window into an image that its box touches.

    The part outside is cut off, down to one pixel. A square window is moved inside
    instead; if it does not fit it becomes the largest square that does.

    Args:
        window: The window.
        width: That of the image, in pixels.
        height: That of the image, in pixels.
        square: Whether the window is square and must stay so.
    """
    x0, y0, x1, y1 = window
    if square:
        side = min(x1 - x0, width, height)
        left, top = _moved(x0, x1, side, width), _moved(y0, y1, side, height)
        return left, top, left + side, top + side
    left, right = _cut(x0, x1, width)
    top, bottom = _cut(y0, y1, height)
    return left, top, right, bottom


def _moved(start: int, end: int, side: int, limit: int) -> int:
    """Find the start of a span about the middle of another one, moved inside the limit."""
    about = _round((start + end - side) / 2)
    return min(max(about, 0), limit - side)


def _cut(start: int, end: int, limit: int) -> tuple[int, int]:
    start = min(max(start, 0), limit - 1)
    return start, max(min(end, limit), start + 1)
