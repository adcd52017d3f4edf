"""Read images: any supported file becomes upright 8-bit RGB."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".webp",
        ".bmp",
        ".ico",
        ".tif",
        ".tiff",
        ".gif",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
    ]
)
"""Suffixes of the files that count as images (compared in lower case)."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "ICO", "TIFF", "GIF", "AVIF", "HEIF")
"""Pillow's decoders for the content of such files, whatever their names. No others may
open a file, as some of them run other programs."""

WHITE = "#ffffff"
"""Colour that shows through transparent pixels unless another one is chosen."""

MAX_PIXELS = 178_956_970
"""Most pixels of an image unless another limit is chosen; it is Pillow's."""

PIECE = 1 << 22
"""Pixels of wide grey that are scaled at once."""

TIFF_BITS = 258
"""The TIFF tag that says how many bits a sample has."""

register_heif_opener()


class UnreadableImage(Exception):
    """A file that cannot be decoded as an image; the message says why."""


def read(
    source: str | Path | bytes,
    background: str = WHITE,
    least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    begun: Callable[[int], object] = lambda pixels: None,
) -> NDArray[np.uint8]:
    """Decode an image and turn it upright.

    It is turned by its EXIF orientation; an AVIF or HEIC by its own orientation, as their
    standards say. An animation gives its first frame, a file of several pictures the
    first, an icon the largest. 16-bit and floating-point grey is scaled to 8 bits.

    Args:
        source: A file, or its content.
        background: Colour that shows through transparent pixels, as "#rrggbb".
        least: For speed, a JPEG may come at a half, a quarter or an eighth of its size,
            with neither side shorter than this many pixels.
        max_pixels: An image of more pixels is refused before it is decoded.
        begun: Called before it is decoded with its number of pixels.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        UnreadableImage: The file cannot be decoded, or has too many pixels.
    """
    with _opened(source, max_pixels) as image:
        begun(image.width * image.height)
        if least:
            image.draft(None, (least, least))
        image.load()
        bits = _bits(image)
        ImageOps.exif_transpose(image, in_place=True)
        pixels = np.asarray(_flatten(image, background, bits))
    # Checked again, as a header may be wrong.
    check_size(pixels.shape[0] * pixels.shape[1], max_pixels)
    return pixels


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


@contextmanager
def _opened(source: str | Path | bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Read an image's header.

    Any error in the block, too, becomes an UnreadableImage.
    """
    # Pillow refuses at twice its limit, which all threads share, and checks the parts of a
    # file as well. It warns from the limit on; photos of that size are fine here. It only
    # compares the limit, so half of an odd number will do.
    Image.MAX_IMAGE_PIXELS = max_pixels / 2  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            file = BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except Exception as error:  # decoders raise nearly every type there is
        raise UnreadableImage(
            f"cannot be decoded: {_reason(error, source, max_pixels)}"
        ) from error


def _reason(error: Exception, source: str | Path | bytes, max_pixels: int) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return _too_many(max_pixels)
    if source == b"":
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "no image of a known type, or broken at its start"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.isprintable() else ascii(text)


def _too_many(max_pixels: int) -> str:
    return f"it has more than {max_pixels} pixels (--max-pixels)"


def _bits(image: Image.Image) -> int:
    """Tell how many bits the samples of a 16-bit image really have."""
    tags = getattr(image, "tag_v2", {})
    return 12 if tags.get(TIFF_BITS) == (12,) else 16


def _flatten(image: Image.Image, background: str, bits: int) -> Image.Image:
    """Bring any Pillow mode to RGB."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_to_8_bit(image, bits)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, ImageColor.getcolor(background, "RGBA"))
        return Image.alpha_composite(flat, rgba).convert("RGB")
    return image.convert("RGB")


def _grey_to_8_bit(image: Image.Image, bits: int) -> Image.Image:
    """Scale wide grey to 8 bits.

    12 and 16 bits are scaled by their full range, others by the range of their values.
    Floats from 0 to 1 count as shares of white, pixels that are no number as black.
    """
    wide = np.asarray(image)
    # Piece by piece, as a large image would take gigabytes as 64-bit floats.
    pieces = [slice(start, start + PIECE) for start in range(0, wide.size, PIECE)]

    def values(piece: slice) -> NDArray[np.float64]:
        grey = wide.reshape(-1)[piece].astype(np.float64)
        return np.nan_to_num(grey, copy=False, posinf=0.0, neginf=0.0)

    lowest = min(values(piece).min() for piece in pieces)
    highest = max(values(piece).max() for piece in pieces)
    black, span = _range(image.mode, bits, lowest, highest)
    narrow = np.empty(wide.size, np.uint8)
    for piece in pieces:
        narrow[piece] = np.round((values(piece) - black) * (255.0 / span))
    return Image.fromarray(narrow.reshape(wide.shape)).convert("RGB")


def _range(mode: str, bits: int, lowest: float, highest: float) -> tuple[float, float]:
    """Give the value of black in wide grey, and how far above it white is."""
    if mode.startswith("I;16"):
        return 0.0, 2.0**bits - 1
    if mode == "I" and lowest >= 0 and 255 < highest <= 65535:
        return 0.0, 65535.0
    if mode == "F" and lowest >= 0 and highest <= 1:
        return 0.0, 1.0
    if lowest < 0 or highest > 255:
        return lowest, (highest - lowest) or 1.0
    return 0.0, 255.0
