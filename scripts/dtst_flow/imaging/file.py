"""A file with a picture: decoding it, and bringing its colours to sRGB."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from pillow_heif import register_heif_opener

from dtst_flow.imaging import colour, deep, hdr, metadata, tiff, truncated, wide
from dtst_flow.imaging.samples import Note, to_8_bits
from dtst_flow.imaging.spaces import Coded
from dtst_flow.imaging.tags import Page

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "ICO", "TIFF", "GIF", "AVIF", "HEIF")
"""Pillow's decoders that may open a file, whatever its name. No others may, as some of
them run other programs."""

register_heif_opener()


class CutShort(Exception):
    """A file of which too much is missing; the message says how much."""


def _unheard(_: object) -> None:
    """Take what nobody asked for."""


@dataclass(frozen=True)
class Listener:
    """Who hears of an image while it is read.

    Attributes:
        begun: Is told how many pixels it has, before it is decoded.
        note: Is told in words what was amiss with the file and was overcome.
    """

    begun: Callable[[int], object] = _unheard
    note: Note = _unheard


NOBODY = Listener()


@dataclass(frozen=True)
class File:
    """A file with a picture.

    Attributes:
        content: Its content.
        page: Of a TIFF, the page that is the picture.
    """

    content: bytes
    page: Page | None

    @classmethod
    def of(cls, content: bytes) -> "File":
        """Look into a file."""
        return cls(content, metadata.page_of(content))

    def decoded(
        self, least: int | None, missing: float, listener: Listener
    ) -> Image.Image:
        """Decode the picture; nothing that lies beside its pixels can hinder that.

        Args:
            least: As in `decode.read`.
            missing: The share of its rows that may be missing.
            listener: Who is to hear of it.

        Raises:
            CutShort: More is missing.
            Exception: It cannot be decoded; decoders raise nearly every type there is.
        """
        if self.page and wide.is_wide(self.page):
            listener.begun(tiff.pixels(self.page))
            return wide.read(self.page, listener.note)

        def opened(content: bytes) -> ImageFile:
            image = Image.open(BytesIO(content), formats=FORMATS)
            listener.begun(image.width * image.height)
            if least:
                image.draft(None, (least, least))
            return image

        try:
            content = tiff.for_pillow(self.page) if self.page else self.content
            return _loaded(opened(content))
        except Exception as error:
            bare = metadata.removed(self.content, self.page)
            try:
                return _loaded(opened(bare))
            except Exception as again:
                if "truncated" in str(again).lower():
                    return _cut_short(bare, opened, missing, listener.note)
                raise error from None

    def in_srgb(self, image: Image.Image, note: Note) -> Image.Image:
        """Bring the picture's colours to sRGB.

        Args:
            image: The picture, decoded, of any mode.
            note: Is told of a profile that is ignored, or of odd samples.

        Returns:
            Of mode L, LA, RGB, RGBA, or CMYK where no profile says what its inks are.
        """
        plain = self._plain(image, note)
        try:
            space = metadata.space(self.content, self.page, image.info)
            if not isinstance(space, Coded) or space.hdr is None:
                return colour.to_srgb(plain, space)
            pixels = deep.rgb(self.content, image)
            shown = Image.fromarray(hdr.to_srgb(pixels, space))
        except (ValueError, colour.BrokenProfile) as error:
            note(f"its colour profile was ignored: {error}")
            return plain
        if plain.mode in ("LA", "RGBA"):
            shown.putalpha(plain.getchannel("A"))
        return shown

    def _plain(self, image: Image.Image, note: Note) -> Image.Image:
        """Bring any Pillow mode to L, LA, RGB, RGBA or CMYK."""
        if image.mode.startswith("I") or image.mode == "F":
            bits = 32 if image.mode in ("I", "F") else 16
            return Image.fromarray(to_8_bits(np.asarray(image), bits, note))
        if image.has_transparency_data:
            grey = image.mode in ("1", "L", "LA", "La")
            return image.convert("LA" if grey else "RGBA")
        if image.mode == "RGB" and deep.has_more(self.content) and _is_dark(image):
            pixels = deep.rgb(self.content, image)
            return Image.fromarray(to_8_bits(pixels, 16, note))
        if image.mode == "1":
            return image.convert("L")
        return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return image


def _cut_short(
    content: bytes, opened: truncated.Open, missing: float, note: Note
) -> Image.Image:
    image, share = truncated.picture(content, opened)
    if share > missing:
        raise CutShort(
            f"it is cut short, {share:.0%} of its rows are incomplete (--allow-truncated)"
        )
    if share:
        note(f"it is cut short, {share:.1%} of its rows are incomplete")
    return image


def _is_dark(image: Image.Image) -> bool:
    """Whether no more than twelve of sixteen bits seem to be used."""
    return bool((np.asarray(image.getextrema())[:, 1] < 16).all())
