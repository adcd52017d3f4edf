"""Write crops: one encoder for all stages, of equal settings."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 95
"""Of a JPEG unless another is chosen."""

SETTINGS = {
    "quality": QUALITY,
    "subsampling": "4:4:4",
    "optimize": False,
    "progressive": False,
}
"""Settings of every JPEG: full colour resolution, as crops are cut and scaled again later."""

FORMATS = {"jpg": "JPEG", "png": "PNG"}
"""Suffixes of the files that can be written -> what Pillow calls them."""

MAX_SIDE = 65500
"""Pixels of the longest side that libjpeg writes (its JPEG_MAX_DIMENSION)."""


def encode(
    image: NDArray[np.uint8], suffix: str = "jpg", quality: int = QUALITY
) -> bytes:
    """Encode an image without metadata; equal pixels give equal bytes.

    Args:
        image: (height, width, 3) uint8 RGB, of a JPEG no side longer than MAX_SIDE.
        suffix: A key of FORMATS.
        quality: That of a JPEG, 1 to 100.

    Returns:
        The content of the file.
    """
    file = BytesIO()
    settings = {**SETTINGS, "quality": quality} if suffix == "jpg" else {}
    Image.fromarray(image).save(file, FORMATS[suffix], **settings)
    return file.getvalue()
