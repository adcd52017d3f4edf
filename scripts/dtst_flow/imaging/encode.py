"""Write crops: one JPEG encoder with fixed settings for all stages."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SETTINGS = {
    "quality": 95,
    "subsampling": "4:4:4",
    "optimize": False,
    "progressive": False,
}
"""Settings of every crop: full colour resolution, as crops are cut and scaled again later."""

MAX_SIDE = 65500
"""Pixels of the longest side that libjpeg writes (its JPEG_MAX_DIMENSION)."""


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode an image as JPEG without metadata; equal pixels give equal bytes.

    Args:
        image: (height, width, 3) uint8 RGB, no side longer than MAX_SIDE.

    Returns:
        The content of the file.
    """
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", **SETTINGS)
    return file.getvalue()
