"""Read images: any supported file becomes upright 8-bit sRGB."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, UnidentifiedImageError
from pillow_heif import register_heif_opener

from dtst_flow.imaging import (
    colour,
    deep,
    hdr,
    jpeg,
    metadata,
    spaces,
    tiff,
    truncated,
    wide,
)
from dtst_flow.imaging.samples import Note, to_8_bits
from dtst_flow.imaging.tags import Page

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

MISSING = 0.05
"""Share of its rows that a file cut short may lack and still be read."""

register_heif_opener()


class UnreadableImage(Exception):
    """A file that cannot be decoded as an image; the message says why."""


def _unheard(_: str) -> None:
    """Take a note that nobody asked for."""


def read(
    source: str | Path | bytes,
    background: str = WHITE,
    least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    allow_truncated: bool = False,
    note: Note = _unheard,
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
        note: Is told in words what was amiss with the file and was overcome.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        UnreadableImage: The file cannot be decoded, or has too many pixels.
    """
    content = _content(source)
    with _told(content, max_pixels):
        page = metadata.page_of(content)
        if page:
            check_size(tiff.pixels(page), max_pixels)
        share = 1.0 if allow_truncated else MISSING
        image = _decoded(content, page, least, share, note)
        turns = metadata.turns(content, page, image)
        image = _in_srgb(content, page, image, note)
        image = _flatten(image, background)
        for turn in turns:
            image = image.transpose(turn)
        pixels = np.asarray(image)
    # Checked again, as a header may be wrong.
    check_size(pixels.shape[0] * pixels.shape[1], max_pixels)
    return pixels


def _content(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
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


def _decoded(
    content: bytes, page: Page | None, least: int | None, missing: float, note: Note
) -> Image.Image:
    """Decode an image, of which a share of the rows may be missing."""
    if page and wide.is_wide(page):
        return wide.read(page, note)
    if page:
        content = tiff.for_pillow(page)

    def opened(content: bytes) -> Image.Image:
        image = Image.open(BytesIO(content), formats=FORMATS)
        if least:
            image.draft(None, (least, least))
        return image

    try:
        return _loaded(opened(content))
    except Exception as error:  # decoders raise nearly every type there is
        content = metadata.removed(content, page)
        try:
            return _loaded(opened(content))
        except Exception as again:
            if "truncated" in str(again).lower():
                return _cut_short(content, opened, missing, note)
            raise error from None


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return image


def _cut_short(
    content: bytes, opened: truncated.Open, missing: float, note: Note
) -> Image.Image:
    image, share = truncated.picture(content, opened)
    if share > missing:
        raise UnreadableImage(
            f"cannot be decoded: it is cut short, {share:.0%} of its rows are missing "
            "(--allow-truncated)"
        )
    if share:
        note(f"it is cut short, {share:.1%} of its rows are missing")
    return image


def _in_srgb(
    content: bytes, page: Page | None, image: Image.Image, note: Note
) -> Image.Image:
    """Bring any Pillow mode to sRGB, of mode L, RGB or RGBA."""
    plain = _plain(content, image, note)
    try:
        space = metadata.space(content, page, image.info)
        if isinstance(space, spaces.Coded) and space.hdr:
            shown = Image.fromarray(hdr.to_srgb(deep.rgb(content, image), space))
            if plain.mode == "RGBA":
                shown.putalpha(plain.getchannel("A"))
            return shown
        return colour.to_srgb(plain, space)
    except (ValueError, colour.BrokenProfile) as error:
        note(f"its colour profile was ignored: {error}")
        return plain


def _plain(content: bytes, image: Image.Image, note: Note) -> Image.Image:
    """Bring any Pillow mode to L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        bits = 32 if image.mode in ("I", "F") else 16
        return Image.fromarray(to_8_bits(np.asarray(image), bits, note))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "RGB" and deep.has_more(content) and _is_dark(image):
        return Image.fromarray(to_8_bits(deep.rgb(content, image), 16, note))
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _is_dark(image: Image.Image) -> bool:
    """Whether no more than twelve of sixteen bits seem to be used."""
    return all(highest < 16 for _, highest in image.getextrema())


def _flatten(image: Image.Image, background: str) -> Image.Image:
    if image.mode == "RGBA":
        flat = Image.new("RGBA", image.size, ImageColor.getcolor(background, "RGBA"))
        image = Image.alpha_composite(flat, image)
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
