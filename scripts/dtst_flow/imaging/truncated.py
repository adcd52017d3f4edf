"""Pictures of files that are cut short, and how much of them is missing."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from dtst_flow.imaging import jpeg

FILLERS = (b"\x00", b"\x55", b"\xaa")
"""What is put in place of the missing end of a JPEG: rows that are not there then differ."""

LENGTH = 256
"""Bytes of them; less than that can be read as many rows, so that these do not differ."""

EMPTY = 16
"""As many bytes of zero at the end of a JPEG are no part of it: room that was reserved."""

GREYABLE = ("L", "LA", "RGB", "RGBA", "CMYK")
"""Modes of which the mean of two pictures is a picture."""

Open = Callable[[bytes], ImageFile]


def picture(content: bytes, open_: Open) -> tuple[Image.Image, float]:
    """Decode what there is of a picture.

    Args:
        content: A file that is cut short.
        open_: Opens a file; its pixels are not yet decoded.

    Returns:
        The picture, and the share of its rows that lack something: grey or blurred ones.

    Raises:
        OSError: Nothing can be decoded.
    """
    if content[:2] == b"\xff\xd8":
        return _jpeg(content, open_)
    dark: Image.Image = _filled(content, open_, 0)
    light = _filled(content, open_, 1)
    same = (np.asarray(dark) == np.asarray(light)).reshape(dark.height, -1).all(1)
    if dark.mode in GREYABLE:
        info, dark = dark.info, Image.blend(dark, light, 0.5)
        dark.info = info
    return dark, 1 - float(same.mean())


def _jpeg(content: bytes, open_: Open) -> tuple[Image.Image, float]:
    stripped = content.rstrip(b"\0")
    body = stripped if len(content) - len(stripped) >= EMPTY else content
    body = jpeg.without_stump(body)
    image = open_(body + jpeg.END)
    image.load()
    if not jpeg.all_scans_begin(body):
        return image, 1.0
    first, *others = (
        np.asarray(open_(body + filler * LENGTH + jpeg.END)) for filler in FILLERS
    )
    same = np.all([first == other for other in others], axis=0)
    whole = same.reshape(len(first), -1).all(1)
    # Below the first row that is missing nothing counts.
    there = len(whole) if whole.all() else int(whole.argmin())
    return image, 1 - there / len(whole)


def _filled(content: bytes, open_: Open, filling: int) -> ImageFile:
    """Decode into a picture of one colour, which stays where there is nothing."""
    image = open_(content)
    colour = 255 * filling if image.mode not in ("1", "I", "F") else filling
    image.im = Image.new(image.mode, image.size, (colour,) * len(image.getbands())).im
    try:
        image.load()
    except OSError:
        image.tile = []  # so that it is taken for decoded
    return image
