"""Thumbnails: small pictures as data URIs, each image's made once."""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from PIL import Image

from dtst_flow import code, images
from dtst_flow.files import digest_file
from dtst_flow.records import Records
from dtst_flow.state import STATE

SMALL = 128
"""The longer side in pixels: sharp at 96 on most screens, and about 1.5 KB."""

LARGE = 320
"""That of medoids."""

QUALITY = 50
"""Of WebP, at half the size of a JPEG that looks alike."""

KIND = "data:image/webp;base64,"
"""How thumbnails begin."""


def make(rows: Sequence[dict], side: int, threads: int) -> list[str | None]:
    """The thumbnails of images, in their order; None for one that cannot be read.

    rows  {path, digest} of each image
    side  the longer side in pixels, at most
    """
    depends = {"side": side, "code": code.version("report.thumbnails")}
    cache = Records(STATE / "records" / "thumbnails", depends)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda row: _recorded(row, side, cache), rows))


def _recorded(row: dict, side: int, cache: Records) -> str | None:
    thumbnail = cache.get(row["digest"])
    if not str(thumbnail).startswith(KIND):
        try:
            thumbnail = encode(row["path"], side)
            unchanged = digest_file(row["path"]) == row["digest"]
        except (images.UnreadableImage, OSError):
            return None
        if unchanged:  # since it was listed
            cache.put(row["digest"], thumbnail)
    return thumbnail


def encode(path: str, side: int) -> str:
    """An image made small, as a data URI. Raises UnreadableImage."""
    image = Image.fromarray(images.read(path, least=side))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    return KIND + base64.b64encode(file.getvalue()).decode()
