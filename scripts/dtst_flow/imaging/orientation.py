"""Turn a picture upright, as its EXIF orientation says."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from dtst_flow.imaging import tags

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

PREFIX = b"Exif\0\0"
"""What EXIF begins with where it is no file of its own."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright; 1 and all else: nothing."""


def of_exif(exif: bytes) -> list[Image.Transpose]:
    """What makes a picture with such EXIF upright. No other tag is looked at."""
    exif = exif.removeprefix(PREFIX)
    layout = tags.layout_of(exif)
    page = tags.page_at(exif, layout, layout.first) if layout else None
    return of_page(page) if page else []


def of_page(page: tags.Page) -> list[Image.Transpose]:
    """What makes a page upright, by its own tags."""
    turn = TURNS.get(page.number(ORIENTATION, 1))
    return [] if turn is None else [turn]


def exif_in_text(info: Mapping[Any, Any]) -> bytes:
    """EXIF that is written as a text, as ImageMagick does in PNGs; b"" for none.

    Args:
        info: What Pillow found beside the pixels.
    """
    text = info.get("Raw profile type exif")
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""
