"""Read all bits of pictures of which Pillow gives the upper eight."""

from io import BytesIO

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from dtst_flow.imaging import bmff, metadata, png

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def has_more(content: bytes) -> bool:
    """Whether there are more than eight bits in a file that Pillow gives as RGB."""
    return metadata.kind_of(content) == "PNG" and png.is_wide(content)


def rgb(content: bytes, image: Image.Image) -> Pixels:
    """The colours of a picture with all their bits.

    Args:
        content: Its file.
        image: The picture as Pillow gives it; taken where there is nothing better.

    Returns:
        (height, width, 3) uint8 or uint16 RGB, of the type's full range.
    """
    found = None
    if image.format == "HEIF":
        file = pillow_heif.open_heif(BytesIO(content), convert_hdr_to_8bit=False)
        found = np.asarray(file)
    elif image.format == "AVIF" or has_more(content):
        found = _by_opencv(content)
    if found is None or found.shape[:2] != image.size[::-1] or found.dtype != np.uint16:
        return np.asarray(image.convert("RGB"))
    return found[..., :3] if found.ndim == 3 else np.dstack([found] * 3)


def _by_opencv(content: bytes) -> NDArray[np.uint16] | None:
    import cv2  # starts slowly, and few photos need it

    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        return None
    samples = found.astype(np.uint16, copy=False)
    if samples.ndim == 3:
        samples = samples[..., 2::-1]
    if has_more(content):
        return samples
    bits = min(max(bmff.facts(content).bits, 9), 16)
    full = (samples << (16 - bits)) | (samples >> (2 * bits - 16))
    return full.astype(np.uint16, copy=False)
