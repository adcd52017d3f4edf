"""Thumbnails: small pictures as data URIs, made once for each image.

What decodes is loaded only where one is made.
"""

import base64
import functools
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, TypeGuard

from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset.state import RECORDS
from dtst_flow.utils.files import digest, read_bytes

SMALL = 128
"""The longer side in pixels: sharp at 96 on most screens, and about 1.5 KB."""

LARGE = 320
"""The longer side of medoids, in pixels."""

QUALITY = 50
"""Quality of WebP, at half the size of a JPEG that looks alike."""

KIND = "data:image/webp;base64,"
"""How thumbnails begin."""


def make(
    rows: Sequence[Mapping[str, Any]], side: int, workers: int
) -> list[str | None]:
    """The thumbnails of images, in their order; None for one that cannot be read.

    Args:
        rows: {path, digest} of each image.
        side: The longer side in pixels, at most.
        workers: How many processes make them; an image may end its decoder.
    """
    from dtst_flow.runtime.pool import each

    cache = records(side, f"side{side}")
    known = (cache.get(row["digest"]) for row in rows)
    thumbnails = [made if is_thumbnail(made) else None for made in known]
    tasks = [(i, str(rows[i]["path"])) for i, t in enumerate(thumbnails) if t is None]
    for (i, _), made in each(functools.partial(_Maker, side), tasks, workers):
        if isinstance(made, tuple):
            thumbnails[i], content = made
            if content == rows[i]["digest"]:
                cache.put(content, thumbnails[i])
    cache.compact()
    return thumbnails


def records(side: int, job: str) -> Records:
    """The records of thumbnails in the dataset's folder, by the digests of images.

    Args:
        side: The longer side in pixels, at most.
        job: Who asks, as `Records` has it.
    """
    depends = {"side": side, "code": code_version(sys.modules[__name__])}
    return Records(RECORDS / "thumbnails", depends, job)


def is_thumbnail(record: object) -> TypeGuard[str]:
    """Tell whether a record is a thumbnail."""
    return isinstance(record, str) and record.startswith(KIND)


def content_of(thumbnail: str) -> bytes:
    """The WebP of a thumbnail."""
    return base64.b64decode(thumbnail[len(KIND) :])


class _Maker:
    """Makes thumbnails; a worker."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, task: tuple[int, str]) -> tuple[str, str]:
        """A thumbnail, and the digest of the image. Raises UnreadableImage."""
        from dtst_flow.imaging.decode import UnreadableImage

        try:
            content = read_bytes(task[1])
        except OSError as error:
            raise UnreadableImage(str(error)) from error
        return record_of(encode(content, self.side)), digest(content)

    def close(self) -> None:
        """Nothing is held."""


def record_of(webp: bytes) -> str:
    """The record of a thumbnail, which is a data URI."""
    return KIND + base64.b64encode(webp).decode()


def encode(content: bytes, side: int) -> bytes:
    """A small picture of an image, as WebP.

    Args:
        content: The image's file.
        side: The longer side in pixels, at most.

    Raises:
        UnreadableImage: It is not an image that can be decoded.
    """
    from PIL import Image

    from dtst_flow.imaging import decode

    image = Image.fromarray(decode.read(content, least=side, allow_truncated=True))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    return file.getvalue()
