"""How sharp a face is: what only pixels tell, and so what is kept of them."""

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtst_flow.faces import alignment
from dtst_flow.utils.array_types import Pixels

SIDE = 64
"""Side in pixels at which `sharpness` looks at a face: 32 are between the eyes, as in what
models of identity are shown."""

INNER = -0.25
"""The margin by which the face's square is narrowed to its inner half, brows to mouth."""

SIGMA = 1.5
"""Of the gaussian that parts fine detail from coarse, in pixels of that picture."""


def sharpness(image: Pixels, points: ArrayLike) -> float:
    """Measure the share of fine detail in a face, at one scale for all sizes.

    The inner half of the face's square, in grey, is split by a gaussian; the result is
    the standard deviation of the fine part divided by that of the coarse one. About 0.26
    is usual for a portrait and 0.05 for a face that nobody recognises, and neither
    contrast nor exposure changes it much; noise raises it.

    Args:
        image: (height, width, 3) uint8 RGB.
        points: Five (x, y) as in Face.points, which span a square.
    """
    import cv2

    inner = alignment.grow(alignment.quad(points), INNER)
    grey = cv2.cvtColor(alignment.warp(image, inner, SIDE), cv2.COLOR_RGB2GRAY)
    face = grey.astype(np.float32)
    coarse = cv2.GaussianBlur(face, (0, 0), SIGMA)
    # A grey value at least, as of a plain area there is no share to tell.
    return float((face - coarse).std() / max(1.0, float(coarse.std())))


def blur(file: bytes) -> float:
    """Measure the detail of an image file: the variance of its grey picture's Laplacian.

    Args:
        file: The content of a JPEG, PNG or the like.

    Returns:
        The variance; a picture of a larger scale has less, and so has a blurred one.
    """
    import cv2

    content = np.frombuffer(file, np.uint8)
    grey = cast(NDArray[np.uint8], cv2.imdecode(content, cv2.IMREAD_GRAYSCALE))
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)
