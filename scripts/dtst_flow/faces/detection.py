"""What the detectors of faces share: a photo at their size in, one box for each face out.

Positions are continuous pixels as in faces.crop.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from dtst_flow.faces.base import Face
from dtst_flow.utils.array_types import Pixels, Positions

Floats = NDArray[np.floating]
"""Numbers of either precision: a model's are float32, positions float64."""

STRIDES = (8, 16, 32)
"""Sides in pixels of the cells in which YuNet and SCRFD look, one grid after the other."""

TINY = np.finfo(float).tiny


class Found(NamedTuple):
    """Possible faces.

    Attributes:
        boxes: (n, 4) x0, y0, x1, y1.
        scores: (n,) higher is surer.
        points: (n, 5, 2) as in `Face`.
    """

    boxes: Floats
    scores: Floats
    points: Floats

    def pick(self, which: NDArray[np.bool_] | NDArray[np.intp] | list[int]) -> "Found":
        """Select by mask or indices."""
        return Found(*(values[which] for values in self))

    def faces(self) -> list[Face]:
        """Return them as faces, in plain numbers."""
        return [
            Face(tuple(box), score, tuple(map(tuple, points)))
            for box, score, points in zip(*(v.tolist() for v in self), strict=True)
        ]


def join(parts: Sequence[Found]) -> Found:
    """Concatenate what was found; there is one part at least."""
    return Found(*map(np.concatenate, zip(*parts, strict=True)))


def fit(image: Pixels, side: int, multiple: int) -> tuple[Pixels, Positions]:
    """Bring an image to a size, at the top left of black pixels.

    Args:
        image: (height, width, 3) uint8.
        side: The long side that it gets, in pixels; it is shrunk by area averaging or
            enlarged linearly.
        multiple: What height and width of the result are to be multiples of.

    Returns:
        The pixels, and the image's (width, height) in pixels for one of them.
    """
    import cv2

    image, halvings = halved(image, side)
    size = np.array(image.shape[1::-1])
    fitted = np.rint(size * (side / size.max())).astype(int).clip(1)
    width, height = fitted.tolist()
    shrinks = side < size.max()
    small = cv2.resize(
        image,
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    scale = size / fitted * 2**halvings
    columns, rows = (-(-length // multiple) * multiple for length in (width, height))
    if (columns, rows) == (width, height):
        return cast(Pixels, small), scale
    canvas = np.zeros((rows, columns, 3), np.uint8)
    canvas[:height, :width] = small
    return canvas, scale


def halved(image: Pixels, side: int) -> tuple[Pixels, int]:
    """Halve an image as often as its long side stays above `side`, averaging four pixels.

    An odd last row or column is left out. OpenCV is fast only at this factor.

    Returns:
        The image, and how often it was halved.
    """
    import cv2

    halvings = 0
    while max(image.shape) >= 2 * side and min(image.shape[:2]) >= 2:
        height, width = (length // 2 for length in image.shape[:2])
        even = image[: 2 * height, : 2 * width]
        image = cast(
            Pixels, cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
        )
        halvings += 1
    return image, halvings


def corners(cells: NDArray[np.intp], width: int, stride: int) -> Floats:
    """Return the top left corners of cells of a grid.

    Args:
        cells: Their numbers (n,), row by row from 0.
        width: Of what the detector looks at, in pixels; a multiple of the stride.
        stride: Side of a cell.

    Returns:
        (n, 2) x, y in pixels, float32.
    """
    y, x = np.divmod(cells, width // stride)
    return stride * np.stack([x, y], axis=1).astype(np.float32)


def overlaps(box: Floats, others: Floats) -> Floats:
    """Return the intersection over union (n,) of a box (4,) with others (n, 4)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    whole = (box[2:] - box[:2]).prod() + areas - shared
    shares: Floats = shared / np.maximum(whole, TINY)
    return shares


def suppress(found: Found, limit: float) -> Found:
    """Return the surest of those that overlap by more than `limit`; surest first.

    Greedy non-maximum suppression; among equally sure ones the first counts.
    """
    found = found.pick(np.argsort(-found.scores, kind="stable"))
    boxes = found.boxes
    kept: list[int] = []
    left = np.arange(len(boxes))
    while left.size:
        first, left = left[0], left[1:]
        kept.append(int(first))
        left = left[~(overlaps(boxes[first], boxes[left]) > limit)]
    return found.pick(kept)
