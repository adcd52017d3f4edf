"""Read images: any supported file becomes upright 8-bit sRGB."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, UnidentifiedImageError

from dtst_flow.imaging import jpeg, metadata, orientation, plain, tiff, wide
from dtst_flow.imaging.file import NOBODY, File, Listener
from dtst_flow.utils.files import read_bytes

WHITE = "#ffffff"
"""Colour that shows through transparent pixels unless another one is chosen."""

MAX_PIXELS = 178_956_970
"""Most pixels of an image unless another limit is chosen; it is Pillow's."""

MISSING = 0.05
"""Share of its rows that a file cut short may lack and still be read."""


class UnreadableImage(Exception):
    """A file that cannot be decoded as an image; the message says why."""


def read(
    source: str | Path | bytes,
    background: str = WHITE,
    least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    allow_truncated: bool = False,
    listener: Listener = NOBODY,
) -> NDArray[np.uint8]:
    """Decode an image, turn it upright and bring its colours to sRGB.

    It is turned by its EXIF orientation; an AVIF or HEIC by its own, where it has one. An
    animation gives its first frame, a file of several pictures the first, an icon the
    largest, a TIFF the first page that is no smaller version of another.

    Args:
        source: A file, or its content.
        background: Colour that shows through transparent pixels, as "#rrggbb".
        least: For speed, a JPEG may come at a half, a quarter or an eighth of its size,
            with neither side shorter than this many pixels.
        max_pixels: An image of more pixels is refused before it is decoded.
        allow_truncated: Whether more than `MISSING` of a file's rows may be missing.
        listener: Who is to hear of it.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        UnreadableImage: The file cannot be decoded, or has too many pixels.
    """
    content = _content(source)
    with _told(content, max_pixels):
        file = File.of(content)
        if file.page:
            check_size(tiff.pixels(file.page), max_pixels)
        pixels = None if least else _plain(content, max_pixels, listener)
        if pixels is None:
            missing = 1.0 if allow_truncated else MISSING
            decoded = file.decoded(least, missing, listener)
            image = _flatten(file.in_srgb(decoded, listener.note), background)
            for turn in metadata.turns(content, file.page, decoded):
                image = image.transpose(turn)
            pixels = np.asarray(image)
    # Checked again, as a header may be wrong.
    check_size(pixels.shape[0] * pixels.shape[1], max_pixels)
    return pixels


def _plain(
    content: bytes, max_pixels: int, listener: Listener
) -> NDArray[np.uint8] | None:
    """Decode a plain JPEG and turn it upright; None of all else."""
    size = plain.size(content)
    if not size or size > max_pixels:
        return None
    listener.begun(size)
    pixels = plain.decoded(content)
    turns = orientation.of_exif(jpeg.exif(content))
    if pixels is None or not turns:
        return pixels
    image = Image.fromarray(pixels)
    for turn in turns:
        image = image.transpose(turn)
    return np.asarray(image)


def _content(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return read_bytes(source)
    except OSError as error:
        raise UnreadableImage(f"cannot be decoded: {_printable(error)}") from error


def check_size(pixels: int, max_pixels: int) -> None:
    """Refuse an image of too many pixels, as `read` does.

    Args:
        pixels: Those of the image.
        max_pixels: The limit.

    Raises:
        UnreadableImage: The image has more.
    """
    if pixels > max_pixels:
        raise UnreadableImage(f"cannot be decoded: {_too_many(max_pixels)}")


def _flatten(image: Image.Image, background: str) -> Image.Image:
    if image.mode in ("LA", "RGBA"):
        flat = Image.new("RGBA", image.size, ImageColor.getcolor(background, "RGBA"))
        image = Image.alpha_composite(flat, image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


@contextmanager
def _told(content: bytes, max_pixels: int) -> Iterator[None]:
    """Make any error in the block an UnreadableImage, and have Pillow keep to a limit."""
    # Pillow refuses at twice its limit, which all threads share, and checks the parts of a
    # file as well. It only compares the limit, so half of an odd number will do. What it
    # warns of, from the limit on and of odd metadata, is fine here.
    Image.MAX_IMAGE_PIXELS = max_pixels / 2  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnreadableImage:
        raise
    except Exception as error:  # decoders raise nearly every type there is
        raise UnreadableImage(
            f"cannot be decoded: {_reason(error, content, max_pixels)}"
        ) from error


def _reason(error: Exception, content: bytes, max_pixels: int) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return _too_many(max_pixels)
    if not content:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        page = metadata.page_of(content)
        rare = wide.what(page) if page else jpeg.why_not(content)
        return rare or "no image of a known type, or broken at its start"
    return _printable(error)


def _printable(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.isprintable() else ascii(text)


def _too_many(max_pixels: int) -> str:
    return f"it has more than {max_pixels} pixels (--max-pixels)"
