"""Thumbnails: small pictures as data URIs, each image's made once."""

import base64
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from PIL import Image

from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset.state import RECORDS
from dtst_flow.imaging import decode
from dtst_flow.utils.files import digest_file

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
    depends = {"side": side, "code": code_version(sys.modules[__name__])}
    cache = Records(RECORDS / "thumbnails", depends, f"side{side}")
    found = [cache.get(row["digest"]) for row in rows]
    new = [i for i, known in enumerate(found) if not str(known).startswith(KIND)]
    with ThreadPoolExecutor(threads) as pool:
        made = pool.map(lambda i: _make(rows[i], side), new)
        for i, (thumbnail, unchanged) in zip(new, made, strict=True):
            found[i] = thumbnail
            if unchanged:
                cache.put(rows[i]["digest"], thumbnail)
    cache.compact()
    return found


def _make(row: dict, side: int) -> tuple[str | None, bool]:
    """A thumbnail, and whether the image is still the one that was listed."""
    try:
        thumbnail = encode(row["path"], side)
        return thumbnail, digest_file(row["path"]) == row["digest"]
    except (decode.UnreadableImage, OSError):
        return None, False


def encode(path: str, side: int) -> str:
    """An image made small, as a data URI. Raises UnreadableImage."""
    image = Image.fromarray(decode.read(path, least=side))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    return KIND + base64.b64encode(file.getvalue()).decode()
