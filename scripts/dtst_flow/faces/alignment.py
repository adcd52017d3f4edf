"""The square of a face: from five points to the pixels around them.

Positions are continuous pixels, x right and y down: (0, 0) is the outer corner
of the top left pixel, whose centre is (0.5, 0.5), and an image covers
[0, width] x [0, height]. Source images and crops follow the same convention.

A square, called `quad`, is its corners (4, 2) float64 in source pixels, in the order
top left, bottom left, bottom right, top right of the crop.

Its place is that of the FFHQ dataset (Karras, Laine, Aila, "A Style-Based Generator
Architecture for Generative Adversarial Networks", 2019, appendix A and its published
alignment script).
"""

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtst_flow.utils.array_types import Pixels, Positions


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
    return square(eyes + 0.1 * eye_to_mouth, across * (half / length))


def square(centre: Positions, half: Positions) -> Positions:
    """Return the corners of a square.

    Args:
        centre: (2,) x, y.
        half: (2,) from the centre to the middle of the square's right side.
    """
    x, y = half, _quarter_turn(half)
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def side(quad: Positions) -> float:
    """Compute the side of the square in source pixels."""
    return float(np.hypot(*(quad[3] - quad[0])))


def size_of(quad: Positions, max_size: int | None = None) -> int:
    """Compute the side in pixels of the crop that the square makes.

    Raises:
        ValueError: The square is too small for a single pixel.
    """
    natural = side(quad)
    size = round(natural)
    if size < 1:
        raise ValueError(f"the face square of {natural:.2g} pixels is too small to cut")
    return size if max_size is None else min(size, max_size)


def reaches_outside(quad: Positions, width: int, height: int) -> bool:
    """Tell whether a part of the square is outside an image of this size."""
    return bool(np.any(quad < 0) or np.any(quad > (width, height)))


def grow(quad: Positions, margin: float) -> Positions:
    """Widen a square on all sides by a fraction of its side."""
    centre: Positions = quad.mean(axis=0)
    return centre + (quad - centre) * (1 + 2 * margin)


def _quarter_turn(vector: Positions) -> Positions:
    """Turn a vector (2,) by 90 degrees, clockwise on the screen."""
    return np.array([-vector[1], vector[0]])


def warp(image: Pixels, quad: Positions, size: int) -> Pixels:
    """Make the square a crop of size x size pixels, antialiased.

    From four source pixels a crop pixel on, the image is first shrunk by a whole
    factor that leaves two to three. Then it is sampled about once a source pixel and
    averaged. Both together are a box filter.
    """
    import cv2

    shrink = min(int(side(quad) / size / 2), *image.shape[:2])
    if shrink > 1:
        image, quad = shrunk(image, quad, shrink)
    samples = max(1, round(side(quad) / size))
    crop = sample(image, quad, size * samples)
    if samples == 1:
        return crop
    averaged = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return cast(Pixels, averaged)


def shrunk(image: Pixels, quad: Positions, factor: int) -> tuple[Pixels, Positions]:
    """Shrink what the square shows of an image; return it with the square on it."""
    import cv2

    small, offset = _region(image, quad, margin=2 * factor)
    left = factor
    while left > 1:
        step = left if left % 2 else 2  # at which OpenCV is fast
        height, width = (length // step for length in small.shape[:2])
        whole = small[: height * step, : width * step]
        small = cast(
            Pixels, cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        )
        left //= step
    return small, (quad - offset) / factor


def sample(image: Pixels, quad: Positions, size: int, mirrored: bool = True) -> Pixels:
    """Sample the square at size x size points.

    Args:
        image: (height, width, 3) uint8.
        quad: The square's corners.
        size: That of the result.
        mirrored: Whether the image goes on mirrored past its edges, else black.
    """
    import cv2

    region, offset = _region(image, quad, margin=2)
    corner, down, _, right = quad - offset
    right, down = (right - corner) / size, (down - corner) / size
    # OpenCV counts from the centre of the first pixel, we from its corner.
    first = corner + (right + down) / 2 - 0.5
    sampled = cv2.warpAffine(
        # Of four channels OpenCV samples more than twice as many as of three.
        cv2.cvtColor(region, cv2.COLOR_RGB2RGBA),
        np.column_stack([right, down, first]),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT if mirrored else cv2.BORDER_CONSTANT,
    )
    return cast(Pixels, cv2.cvtColor(sampled, cv2.COLOR_RGBA2RGB))


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
