"""Aligned square crops: from five points of a face to the pixels around them.

Positions are continuous pixels, x right and y down: (0, 0) is the outer corner
of the top left pixel, whose centre is (0.5, 0.5), and an image covers
[0, width] x [0, height]. Source images and crops follow the same convention.

A square, called `quad`, is its corners (4, 2) float64 in source pixels, in the order
top left, bottom left, bottom right, top right of the crop.

Alignment and padding are those of the FFHQ dataset (Karras, Laine, Aila, "A
Style-Based Generator Architecture for Generative Adversarial Networks", 2019,
appendix A and its published alignment script), done at the resolution of the
crop instead of on the whole padded photo.
"""

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtst_flow.utils.array_types import Pixels, Positions

# FFHQ, as fractions of the side of the square: the blur of the padding, the margin
# it pads beyond the square, and the least width it pads on a side.
BLUR_SIGMA = 0.02
PAD_MARGIN = 0.1
PAD_MINIMUM = 0.3

SOFT_SIDE = 120
"""Side in pixels at which the padding is blurred: 2.5 pixels to one sigma, enough for a smooth blur."""


def quad(points: ArrayLike) -> Positions:
    """Compute the FFHQ alignment square of a face: eyes level, mouth below them.

    Args:
        points: Five (x, y) as in Face.points; only eyes and mouth corners count.

    Returns:
        The square's corners.

    Raises:
        ValueError: The points are not finite or span no square.
    """
    positions = np.asarray(points, np.float64)
    if not np.isfinite(positions).all():
        raise ValueError(f"points that are not finite: {positions.tolist()}")
    eye_left, eye_right, _, mouth_left, mouth_right = positions
    eyes = (eye_left + eye_right) / 2
    eye_to_eye = eye_right - eye_left
    eye_to_mouth = (mouth_left + mouth_right) / 2 - eyes
    across = eye_to_eye - _quarter_turn(eye_to_mouth)
    length = np.hypot(*across)
    if length == 0:
        raise ValueError(f"eyes and mouth span no square: {positions.tolist()}")
    half = max(2.0 * np.hypot(*eye_to_eye), 1.8 * np.hypot(*eye_to_mouth))
    x = across * (half / length)
    y = _quarter_turn(x)
    centre = eyes + 0.1 * eye_to_mouth
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def side(quad: Positions) -> float:
    """Compute the side of the square in source pixels."""
    return float(np.hypot(*(quad[3] - quad[0])))


def reaches_outside(quad: Positions, width: int, height: int) -> bool:
    """Tell whether a part of the square is outside an image of this size."""
    return bool(np.any(quad < 0) or np.any(quad > (width, height)))


def size_of(quad: Positions, max_size: int | None = None) -> int:
    """Compute the side in pixels of the crop that `cut` makes of the square.

    Raises:
        ValueError: The square is too small for a single pixel.
    """
    natural = side(quad)
    size = round(natural)
    if size < 1:
        raise ValueError(f"the face square of {natural:.2g} pixels is too small to cut")
    return size if max_size is None else min(size, max_size)


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
    crop = _warp(image, quad, size)
    height, width = image.shape[:2]
    if not reaches_outside(quad, width, height):
        return crop
    if padding:
        _soften(crop, image, quad)
    else:
        crop[_padding_depth(quad, width, height, size) > 0] = 0
    return crop


def _quarter_turn(vector: Positions) -> Positions:
    """Turn a vector (2,) by 90 degrees, clockwise on the screen."""
    return np.array([-vector[1], vector[0]])


def _warp(image: Pixels, quad: Positions, size: int) -> Pixels:
    """Make the square a crop of size x size pixels, antialiased.

    From four source pixels a crop pixel on, the image is first shrunk by a whole
    factor that leaves two to three. Then it is sampled about once a source pixel and
    averaged. Both together are a box filter.
    """
    import cv2

    shrink = min(int(side(quad) / size / 2), *image.shape[:2])
    if shrink > 1:
        image, quad = _shrink(image, quad, shrink)
    samples = max(1, round(side(quad) / size))
    crop = _sample(image, quad, size * samples)
    if samples == 1:
        return crop
    averaged = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return cast(Pixels, averaged)


def _shrink(image: Pixels, quad: Positions, factor: int) -> tuple[Pixels, Positions]:
    """Shrink what the square shows of an image; return it with the square on it."""
    import cv2

    region, offset = _region(image, quad, margin=2 * factor)
    height, width = (length // factor for length in region.shape[:2])
    whole = region[: height * factor, : width * factor]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return cast(Pixels, small), (quad - offset) / factor


def _sample(image: Pixels, quad: Positions, size: int) -> Pixels:
    """Sample the square at size x size points; the image goes on mirrored past its edges."""
    import cv2

    region, offset = _region(image, quad, margin=2)
    corner, down, _, right = quad - offset
    right, down = (right - corner) / size, (down - corner) / size
    # OpenCV counts from the centre of the first pixel, we from its corner.
    first = corner + (right + down) / 2 - 0.5
    sampled = cv2.warpAffine(
        region,
        np.column_stack([right, down, first]),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return cast(Pixels, sampled)


def _region(
    image: Pixels, quad: Positions, margin: float
) -> tuple[Pixels, NDArray[np.int_]]:
    """Take the part of the image that the square shows.

    Photos may have sides beyond the 16-bit coordinates of OpenCV before 5. Where the
    square passes an edge, the part spans what is mirrored there and ends on that
    edge, so that mirroring the part is mirroring the image.

    Returns:
        The part, and the (x, y) of its top left corner.
    """
    low, high = quad.min(axis=0) - margin, quad.max(axis=0) + margin
    size = np.array(image.shape[1::-1])
    left, top = np.floor(np.minimum(low, 2 * size - high)).clip(min=0).astype(int)
    right, bottom = np.ceil(np.maximum(high, -low)).clip(max=size).astype(int)
    return image[top:bottom, left:right], np.array([left, top])


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
    margin = round(PAD_MARGIN * SOFT_SIDE)
    wide = _grow(quad, margin / SOFT_SIDE)
    inner = slice(margin, margin + SOFT_SIDE)
    around = _warp(image, wide, SOFT_SIDE + 2 * margin)
    blurred = cv2.GaussianBlur(around, (0, 0), BLUR_SIGMA * SOFT_SIDE)[inner, inner]
    padded = _sample(image, _grow(quad, PAD_MARGIN + PAD_MINIMUM), SOFT_SIDE)
    median = np.median(padded, axis=(0, 1))
    fade = _padding_depth(quad, width, height, SOFT_SIDE).clip(0, 1)[..., None]
    faded: NDArray[np.float64] = blurred + (median - blurred) * fade
    return np.rint(faded).astype(np.uint8)


def _grow(quad: Positions, margin: float) -> Positions:
    """Widen a square on all sides by a fraction of its side."""
    centre: Positions = quad.mean(axis=0)
    return centre + (quad - centre) * (1 + 2 * margin)


def _extent(flags: NDArray[np.bool_]) -> slice:
    """Find the shortest slice that holds every true flag; there is one at least."""
    (where,) = np.nonzero(flags)
    return slice(where[0], where[-1] + 1)
