"""Reading images: any supported file becomes upright 8-bit RGB."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
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
"""File types taken for images (compared in lower case)."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "ICO", "TIFF", "GIF", "AVIF", "HEIF")
"""Pillow's decoders for what such files hold, whatever their names; no others are let at a
file: some of those run other programs."""

WHITE = "#ffffff"
"""What shows through transparent pixels unless another colour is chosen."""

MAX_PIXELS = 178_956_970
"""Pixels of an image, at most, unless another limit is chosen; that of Pillow."""

PIECE = 1 << 22
"""Pixels of wide grey scaled at once."""

TIFF_BITS = 258
"""The TIFF tag that says how many bits a sample has."""

register_heif_opener()


class UnreadableImage(Exception):
    """A file that is not an image we can decode; the message says why."""


def read(
    source: str | Path | bytes,
    background: str = WHITE,
    least: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Decode an image, turned upright.

    By its EXIF orientation; an AVIF or HEIC by its own, as their standards have it.
    Animations give their first frame, files of several pictures the first, icons the
    largest; transparent pixels show `background`, a colour as "#rrggbb"; 16-bit and
    floating-point grey is scaled to 8 bits.

    source      a file, or the content of one
    least       for speed, a JPEG may come at a half, a quarter or an eighth of its size,
                neither side shorter than this
    max_pixels  an image of more is refused, undecoded

    Returns (height, width, 3) uint8 RGB. Raises UnreadableImage.
    """
    with _opened(source, max_pixels) as image:
        if least:
            image.draft(None, (least, least))
        image.load()
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(_flatten(upright, background, _bits(image)))
    check_size(pixels.shape[0] * pixels.shape[1], max_pixels)  # headers may lie
    return pixels


def check_size(pixels: int, max_pixels: int) -> None:
    """Raise UnreadableImage, as `read` does, for an image of too many pixels."""
    if pixels > max_pixels:
        raise UnreadableImage(f"cannot be decoded: {_too_many(max_pixels)}")


@contextmanager
def _opened(source: str | Path | bytes, max_pixels: int) -> Iterator[Image.Image]:
    """An image whose header was read. What fails until the end raises UnreadableImage."""
    # Pillow refuses at twice its limit, which is one for all threads, and checks the parts
    # of a file as well. It warns from the limit on; photos of that size are fine here.
    Image.MAX_IMAGE_PIXELS = max_pixels / 2
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
    """How many bits the samples of a 16-bit image really have."""
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
    """Scale wide grey to 8 bits: 12 and 16 bits by their full range, others by their own.

    Floats from 0 to 1 are taken for shares of white, pixels that are no number for black.
    """
    wide = np.asarray(image)
    # Piece by piece: as 64-bit floats a large image would take gigabytes.
    pieces = [slice(start, start + PIECE) for start in range(0, wide.size, PIECE)]

    def values(piece: slice) -> np.ndarray:
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
    """The value of black, and how far above it white is, in wide grey of such values."""
    if mode.startswith("I;16"):
        return 0.0, 2.0**bits - 1
    if mode == "I" and lowest >= 0 and 255 < highest <= 65535:
        return 0.0, 65535.0
    if mode == "F" and lowest >= 0 and highest <= 1:
        return 0.0, 1.0
    if lowest < 0 or highest > 255:
        return lowest, (highest - lowest) or 1.0
    return 0.0, 255.0
