"""Aligned square crops: from the square of a face to a picture of its own.

Positions and squares are those of `faces.alignment`. Padding is that of the FFHQ dataset
(Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial
Networks", 2019, appendix A and its published alignment script), done at the resolution of
the crop instead of on the whole padded photo.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtst_flow.faces.alignment import (
    grow,
    reaches_outside,
    sample,
    shrunk,
    side,
    size_of,
    warp,
)
from dtst_flow.utils.array_types import Pixels, Positions

# FFHQ, as fractions of the side of the square: the blur of the padding, the margin
# it pads beyond the square, and the least width it pads on a side.
BLUR_SIGMA = 0.02
PAD_MARGIN = 0.1
PAD_MINIMUM = 0.3

SOFT_SIDE = 120
"""Side in pixels at which the padding is blurred: 2.5 pixels to one sigma, enough for a smooth blur."""


def to_crop(points: ArrayLike, quad: Positions, size: int) -> Positions:
    """Map source positions (n, 2) to positions in the crop of this size, (n, 2)."""
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]])
    offsets = np.asarray(points, np.float64) - quad[0]
    mapped: Positions = offsets @ axes.T * (size / side(quad) ** 2)
    return mapped


def cut(
    image: Pixels,
    quad: Positions,
    max_size: int | None = None,
    padding: bool = True,
) -> Pixels:
    """Cut the square out of an image, turned upright.

    Args:
        image: (height, width, 3) uint8 RGB.
        quad: The square's corners.
        max_size: The largest side of the crop in pixels; None keeps the natural one.
            A crop is shrunk by area averaging, never enlarged.
        padding: Whether the part of the square outside the image is filled as in
            FFHQ (see _soften) or black. Pixels of the crop whose centres are in the
            image are the same both ways, except near a padded edge.

    Returns:
        The crop, (size, size, 3) uint8 RGB, of the size that `size_of` returns.

    Raises:
        ValueError: The square is too small for a single pixel.
    """
    size = size_of(quad, max_size)
    crop = warp(image, quad, size)
    height, width = image.shape[:2]
    if not reaches_outside(quad, width, height):
        return crop
    if padding:
        _soften(crop, image, quad)
    else:
        crop[_padding_depth(quad, width, height, size) > 0] = 0
    return crop


def _padding_depth(
    quad: Positions, width: int, height: int, size: int
) -> NDArray[np.float32]:
    """Compute how deep each crop pixel is in the padding, (size, size).

    Where the square passes an edge of the image by some reach, FFHQ pads a band of
    max(reach + 0.1 side, 0.3 side) there. The depth is 0 on the edge of the image,
    1 at the far end of the band, linear between and beyond, so negative in the
    image; of several passed edges the deepest counts.
    """
    margin, minimum = PAD_MARGIN * side(quad), PAD_MINIMUM * side(quad)
    right, down = (quad[3] - quad[0]) / size, (quad[1] - quad[0]) / size
    steps = np.arange(size) + 0.5
    depths = []
    for axis, length in enumerate((width, height)):
        for sign, edge in ((-1, 0), (1, length)):
            reach = np.max(sign * (quad[:, axis] - edge))
            if reach > 0:
                slope = sign / max(reach + margin, minimum)
                row = slope * (quad[0, axis] - edge + right[axis] * steps)
                column = slope * down[axis] * steps
                depth = np.add.outer(column.astype(np.float32), row.astype(np.float32))
                depths.append(depth)
    deepest: NDArray[np.float32] = np.maximum.reduce(depths)
    return deepest


def _soften(crop: Pixels, image: Pixels, quad: Positions) -> None:
    """Make the mirrored padding of a crop unobtrusive, as FFHQ does; in place.

    With the depth of _padding_depth: a gaussian blur of 0.02 side is blended in by
    clip(3 depth + 1, 0, 1), then the median colour by clip(depth, 0, 1). The blur
    thus begins a third of the band's width inside the image and is complete at its
    edge. Every pixel further inside stays as it is, and so do edges of the image
    that the square does not pass.
    """
    import cv2

    height, width = image.shape[:2]
    depth = _padding_depth(quad, width, height, len(crop))
    changes = depth > -1 / 3
    if not changes.any():
        return
    band = _extent(np.any(changes, axis=1)), _extent(np.any(changes, axis=0))
    soft = cv2.resize(_backdrop(image, quad), crop.shape[1::-1])
    weight = np.clip(3 * depth[band] + 1, 0, 1)
    crop[band] = cv2.blendLinear(crop[band], soft[band], 1 - weight, weight)


def _backdrop(image: Pixels, quad: Positions) -> Pixels:
    """Make what padding shows at its deepest blend: (SOFT_SIDE, SOFT_SIDE, 3) uint8.

    The blurred square, faded into the median colour by depth. Blur and median look
    beyond the square as far as FFHQ's padded image does.
    """
    import cv2

    height, width = image.shape[:2]
    fade = _padding_depth(quad, width, height, SOFT_SIDE).clip(0, 1)[..., None]
    shrinks = min(side(quad) / SOFT_SIDE, *image.shape[:2])
    halvings = int(np.log2(max(1, shrinks)))
    beyond = PAD_MARGIN + PAD_MINIMUM
    small, widest = shrunk(image, grow(quad, beyond), 2**halvings)
    quad = grow(widest, (1 / (1 + 2 * beyond) - 1) / 2)
    margin = round(PAD_MARGIN * SOFT_SIDE)
    inner = slice(margin, margin + SOFT_SIDE)
    around = sample(small, grow(quad, margin / SOFT_SIDE), SOFT_SIDE + 2 * margin)
    blurred = cv2.GaussianBlur(around, (0, 0), BLUR_SIGMA * SOFT_SIDE)[inner, inner]
    median = np.median(sample(small, widest, SOFT_SIDE), axis=(0, 1))
    faded: NDArray[np.float64] = blurred + (median - blurred) * fade
    return np.rint(faded).astype(np.uint8)


def _extent(flags: NDArray[np.bool_]) -> slice:
    """Find the shortest slice that holds every true flag; there is one at least."""
    (where,) = np.nonzero(flags)
    return slice(where[0], where[-1] + 1)
