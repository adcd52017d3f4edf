"""Write crops: one encoder for all stages, of equal settings."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 95
"""Of a JPEG unless another is chosen."""

FORMATS = ("jpg", "png")
"""Suffixes of the files that can be written."""

MAX_SIDE = 65500
"""Pixels of the longest side that libjpeg writes (its JPEG_MAX_DIMENSION)."""


def encode(
    image: NDArray[np.uint8], suffix: str = "jpg", quality: int = QUALITY
) -> bytes:
    """Encode an image without metadata; equal pixels give equal bytes.

    A JPEG has full colour resolution (4:4:4), as crops are cut and scaled again later.

    Args:
        image: (height, width, 3) uint8 RGB, of a JPEG no side longer than MAX_SIDE.
        suffix: One of FORMATS.
        quality: That of a JPEG, 1 to 100.

    Returns:
        The content of the file.
    """
    if suffix == "jpg":
        return _jpeg(image, quality)
    file = BytesIO()
    Image.fromarray(image).save(file, suffix)
    return file.getvalue()


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    # Byte by byte what Pillow writes, in three quarters of the time.
    import cv2

    settings = {
        cv2.IMWRITE_JPEG_QUALITY: quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    }
    flat = [number for setting in settings.items() for number in setting]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flat)
    return content.tobytes()
