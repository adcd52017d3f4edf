"""Faces of 200 pixels in photos of any size: looked at whole first, then closer in tiles.

A level is a photo at some size. What a look needs of memory does not grow with the photo.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dtst_flow.faces.detection import Found, halved, join, suppress
from dtst_flow.utils.array_types import Pixels

Look = Callable[[Pixels, int], Found]
"""Looks at an image brought to a long side, in pixels; what it finds is in pixels of the
image that it was given."""

STEP = 4
"""By how much a level is closer than the one before, at most."""

EDGE = 8
"""What comes so near to a tile's edge within the photo, in pixels of the level, is a face
that was cut there."""


class Levels(NamedTuple):
    """At which sizes a detector looks at photos.

    Attributes:
        whole: Long sides at which it looks at all of any photo, in pixels.
        shrinks: So many pixels of a large photo in a row become one at the closest
            level, at most.
        tile: Longest side of a tile, in pixels of the level.
        shared: What tiles share with their neighbours, in pixels of the level. A face is
            whole in one of them, or on the level before it is one of this / STEP pixels
            and more, which the detector is to see.
    """

    whole: Sequence[int]
    shrinks: float = 6
    tile: int = 640
    shared: int = 160

    def closer(self, long_side: int) -> list[int]:
        """Return the long sides of a photo of this long side at further levels."""
        whole, closest = self.whole[-1], math.ceil(long_side / self.shrinks)
        if closest <= whole:
            return []
        steps = math.ceil(math.log(closest / whole, STEP))
        return [
            round(whole * (closest / whole) ** (step / steps))
            for step in range(1, steps + 1)
        ]


def search(image: Pixels, look: Look, levels: Levels, same: float) -> Found:
    """Find the faces of an image, the surest first.

    Args:
        image: (height, width, 3) uint8 RGB.
        look: The detector.
        levels: Where it looks.
        same: Overlap (intersection over union) that makes two boxes one face.
    """
    small, halvings = halved(image, max(levels.whole))
    whole = join([look(small, side) for side in levels.whole])
    seen = [Found(whole.boxes * 2**halvings, whole.scores, whole.points * 2**halvings)]
    for side in levels.closer(max(image.shape)):
        shrink = max(image.shape) / side
        rows, columns = (spans(length, shrink, levels) for length in image.shape[:2])
        seen += [_tile(image, r, c, shrink, look) for r in rows for c in columns]
    return suppress(join(seen), same)


def spans(length: int, shrink: float, levels: Levels) -> list[tuple[int, int]]:
    """Divide a side of a photo into those of tiles, all of a size.

    Args:
        length: Of the side, in pixels of the photo.
        shrink: How many of them become one pixel of the level.
        levels: How large tiles are, and what they share.

    Returns:
        From where to where, in pixels of the photo.
    """
    at_level, shared = length / shrink, levels.shared
    tiles = max(1, math.ceil((at_level - shared) / (levels.tile - shared)))
    side = (at_level + (tiles - 1) * shared) / tiles
    starts = [i * (side - shared) for i in range(tiles)]
    return [(round(s * shrink), round((s + side) * shrink)) for s in starts]


def _tile(
    image: Pixels,
    rows: tuple[int, int],
    columns: tuple[int, int],
    shrink: float,
    look: Look,
) -> Found:
    """Return the faces that a tile shows whole, in pixels of the image."""
    part = image[slice(*rows), slice(*columns)]
    found = look(part, max(1, round(max(part.shape[:2]) / shrink)))
    start, end = np.array([columns, rows]).T
    size = np.array(image.shape[1::-1])
    lowest = np.where(start > 0, EDGE * shrink, -np.inf)
    highest = np.where(end < size, end - start - EDGE * shrink, np.inf)
    boxes = found.boxes
    whole = np.all((boxes[:, :2] >= lowest) & (boxes[:, 2:] <= highest), axis=1)
    boxes, scores, points = found.pick(whole)
    return Found(boxes + np.tile(start, 2), scores, points + start)
