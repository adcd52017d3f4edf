"""Writing crops: one JPEG encoder with fixed settings for all stages."""

from io import BytesIO

import numpy as np
from PIL import Image

SETTINGS = {
    "quality": 95,
    "subsampling": "4:4:4",
    "optimize": False,
    "progressive": False,
}
"""Settings of every crop. Full colour resolution, as crops are cut and scaled again downstream."""

MAX_SIDE = 65500
"""The longest side in pixels that libjpeg writes (its JPEG_MAX_DIMENSION)."""


def encode(image: np.ndarray) -> bytes:
    """Return an image as a JPEG file without metadata; equal pixels give equal bytes.

    image  (height, width, 3) uint8 RGB, no side longer than MAX_SIDE
    """
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", **SETTINGS)
    return file.getvalue()
