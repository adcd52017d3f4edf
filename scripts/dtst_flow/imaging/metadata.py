"""What files say beside their pixels: which way is up, and what their numbers stand for.

Nothing else in them is looked at, and nothing in them costs a photo: what is broken is as
if it were not there.
"""

from typing import Any

from PIL import Image

from dtst_flow.imaging import bmff, jpeg, orientation, png, spaces, tiff, webp, wide
from dtst_flow.imaging.spaces import Space
from dtst_flow.imaging.tags import Page

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

Turns = list[Image.Transpose]

Info = dict[Any, Any]
"""What Pillow found beside the pixels."""


def kind_of(content: bytes) -> str:
    """Which kind of container a file is; "" for one that says nothing beside pixels."""
    if content[:2] == b"\xff\xd8":
        return "JPEG"
    if content[:8] == png.SIGNATURE:
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[:4] in TIFF_STARTS:
        return "TIFF"
    return "HEIF" if content[4:8] == b"ftyp" else ""


def page_of(content: bytes) -> Page | None:
    """The page of a TIFF that is the picture; None where a file is none."""
    return tiff.picture(content) if kind_of(content) == "TIFF" else None


def turns(content: bytes, page: Page | None, image: Image.Image) -> Turns:
    """What makes a picture upright.

    Args:
        content: The file.
        page: Of a TIFF, the page that is the picture.
        image: The picture as its decoder gave it.
    """
    match kind_of(content):
        case "TIFF":
            return orientation.of_page(page) if page else []
        case "JPEG":
            return orientation.of_exif(jpeg.exif(content))
        case "PNG":
            exif = png.exif(content)
            return orientation.of_exif(exif or orientation.exif_in_text(image.info))
        case "WEBP":
            return orientation.of_exif(webp.chunk(content, b"EXIF"))
        case "HEIF":
            facts = bmff.facts(content)
            if not facts.turned:
                return orientation.of_exif(facts.exif)
            # The decoder of HEIC has turned it already.
            return facts.turns if image.format == "AVIF" else []
    return []


def space(content: bytes, page: Page | None, info: Info) -> Space:
    """What the numbers of a picture stand for.

    Args:
        content: The file.
        page: Of a TIFF, the page that is the picture.
        info: What Pillow found.

    Raises:
        ValueError: Its profile is broken.
    """
    icc = b""
    match kind_of(content):
        case "PNG":
            return png.space(content)
        case "TIFF" if page and wide.is_wide(page):
            return wide.space(page)
        case "TIFF":
            icc = page.raw(tiff.PROFILE) if page else b""
        case "JPEG":
            icc = jpeg.profile(content)
        case "WEBP":
            icc = webp.chunk(content, b"ICCP")
        case "HEIF":
            icc = info.get("icc_profile") or b""
            codes = None if icc else bmff.facts(content).nclx or _codes(info)
            if codes:
                return spaces.of_codes(*codes)
    return spaces.of_profile(icc) if icc else spaces.SRGB


def _codes(info: Info) -> tuple[int, int] | None:
    """Primaries and curve as pillow-heif found them in the picture's own data."""
    told = info.get("nclx_profile")
    if not isinstance(told, dict):
        return None
    return int(told["color_primaries"]), int(told["transfer_characteristics"])


def removed(content: bytes, page: Page | None) -> bytes:
    """A file with the same pixels and, as far as can be, nothing beside them."""
    match kind_of(content):
        case "PNG":
            return png.without_metadata(content)
        case "TIFF":
            return tiff.without_metadata(page) if page else content
        case "JPEG":
            return jpeg.without_metadata(content)
        case "WEBP":
            return webp.without_metadata(content)
        case "HEIF":
            return bmff.without_metadata(content)
    return content
