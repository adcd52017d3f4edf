"""Geometry of the face search: where to look, and what BlazeFace saw there.

BlazeFace (Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on
Mobile GPUs", 2019) looks at squares of 128 x 128 pixels and sees faces from about a
tenth of their side on. For smaller ones the photo is scaled to a few levels, each
twice as large as the one before, and cut into tiles of that size.

Positions are continuous pixels as in faces.crop, and a square is its corners (4, 2)
in the order of crop.quad: top left, bottom left, bottom right, top right.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dtst_flow.utils.array_types import Positions

Floats = NDArray[np.floating]
"""Numbers of either precision: BlazeFace's are float32, positions float64."""

TILE = 128
"""Side in pixels of what BlazeFace looks at."""

STRIDE = 102
"""Most pixels between tiles. They overlap by a fifth: a face of up to a fifth of a
tile is whole in one of them, and a larger one in a tile of a coarser level."""

LEVELS = ((128, 0), (256, 200), (512, 400), (1024, 1024))
"""Long sides of the levels, each with that of the smallest photo it is used for. The
finest holds two thirds of all tiles and is for photos that have that many pixels."""

ANCHOR_GRIDS = ((16, 2), (8, 6))
"""BlazeFace's grids: cells along a side, and faces that each cell can report."""

TINY = np.finfo(float).tiny


class Detections(NamedTuple):
    """Possible faces, as squares that are turned with the face.

    Attributes:
        logits: (n,) how sure BlazeFace is; 0 is even odds.
        centres: (n, 2) middles of the squares.
        axes: (n, 2) as long as the side, pointing along the eyes to the viewer's right.
    """

    logits: Floats
    centres: Floats
    axes: Floats

    @property
    def sides(self) -> Floats:
        """Sides of the squares, (n,)."""
        sides: Floats = np.hypot(*self.axes.T)
        return sides

    @property
    def boxes(self) -> Floats:
        """The squares, not turned: (n, 4) x0, y0, x1, y1."""
        half = self.sides[:, None] / 2
        return np.hstack([self.centres - half, self.centres + half])

    def pick(
        self, which: NDArray[np.bool_] | NDArray[np.intp] | slice | list[int]
    ) -> "Detections":
        """Select by mask, slice or indices."""
        return Detections(*(values[which] for values in self))


def levels(width: int, height: int) -> list[int]:
    """Return the long sides at which to search a photo of this size, coarsest first."""
    return [side for side, least in LEVELS if max(width, height) >= least]


def tiles(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the top left corners (x, y) of the tiles that cover a level of this size.

    Along a side that is shorter than a tile, the only tile reaches past the end.
    """
    for y in _offsets(height):
        for x in _offsets(width):
            yield x, y


def decode(boxes: Floats, logits: Floats) -> Detections:
    """Read what BlazeFace returns for a view; the result is in fractions of its side.

    Args:
        boxes: (896 * 16,) in pixels of the view: for each anchor the (x, y) of centre,
            size, and six points of which the first two are the eyes, on the viewer's
            left and right; except the size, they are relative to the anchor.
        logits: (896,)
    """
    pairs = boxes.reshape(-1, 8, 2) / TILE
    eyes = pairs[:, 3] - pairs[:, 2]
    sides = pairs[:, 1].mean(axis=1)
    scales = sides / np.maximum(np.hypot(*eyes.T), TINY)
    return Detections(logits, ANCHORS + pairs[:, 0], eyes * scales[:, None])


def mirror(found: Detections) -> Detections:
    """Bring detections from the left-to-right mirror image of a view to the view."""
    return Detections(
        found.logits, (1, 0) + found.centres * (-1, 1), found.axes * (1, -1)
    )


def place(points: Floats, square: Floats) -> Floats:
    """Bring points (n, 2) from fractions of a view to the photo.

    Args:
        points: Fractions of the view's side.
        square: Corners of the view in the photo.
    """
    placed: Floats = square[0] + points @ _edges(square)
    return placed


def place_all(found: Detections, square: Floats) -> Detections:
    """Bring detections from fractions of a view to the photo, like `place`."""
    return Detections(
        found.logits, place(found.centres, square), found.axes @ _edges(square)
    )


def around(centre: Floats, axis: Floats, scale: float) -> Positions:
    """Return the corners (4, 2) of a detection's square, widened by a factor."""
    x = axis * (scale / 2)
    y = np.array([-x[1], x[0]])
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def overlaps(box: Floats, others: Floats) -> Floats:
    """Return the intersection over union (n,) of a box (4,) with others (n, 4)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    whole = (box[2:] - box[:2]).prod() + areas - shared
    shares: Floats = shared / np.maximum(whole, TINY)
    return shares


def suppress(found: Detections, limit: float) -> Detections:
    """Return the surest of detections that overlap by `limit` or more; surest first.

    Greedy non-maximum suppression; among equally sure ones the first counts.
    """
    found = found.pick(np.argsort(-found.logits, kind="stable"))
    boxes = found.boxes
    kept: list[int] = []
    for i, box in enumerate(boxes):
        if not np.any(overlaps(box, boxes[kept]) >= limit):
            kept.append(i)
    return found.pick(kept)


def join(parts: Sequence[Detections]) -> Detections:
    """Concatenate detections; there is one part at least."""
    return Detections(*map(np.concatenate, zip(*parts, strict=True)))


def _offsets(length: int) -> list[int]:
    """Spread tiles evenly along a side of a level."""
    room = max(0, length - TILE)
    steps = -(-room // STRIDE)
    return [round(i * room / max(1, steps)) for i in range(steps + 1)]


def _edges(square: Floats) -> Floats:
    """Return the upper and the left edge of a square as vectors, (2, 2)."""
    return np.stack([square[3] - square[0], square[1] - square[0]])


def _anchors() -> Floats:
    """Return the centres (896, 2) of BlazeFace's anchors in fractions of a view's side."""
    grids = []
    for cells, faces in ANCHOR_GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        grids.append(np.repeat((np.stack([x, y], axis=1) + 0.5) / cells, faces, axis=0))
    return np.concatenate(grids)


ANCHORS = _anchors()
