"""The pictures of a review: thumbnails from records, and larger ones made when asked for."""

import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from threading import BoundedSemaphore, Lock
from typing import TypeVar

from PIL import Image

from dtst_flow.imaging import decode
from dtst_flow.report import thumbnails
from dtst_flow.utils.files import digest, read_bytes

T = TypeVar("T")

LARGE = 1600
"""The longer side of a large picture in pixels, at most."""

QUALITY = 82
"""Quality of WebP of large pictures."""

KEPT = 8
"""Large pictures that are kept for whoever asks again."""

PACKED = 2000
"""After how many new thumbnails they are packed."""


@dataclass(frozen=True)
class Picture:
    """A large picture.

    Attributes:
        webp: Its content.
        size: Width and height of the original, upright.
        digest: Of the original's content.
    """

    webp: bytes
    size: tuple[int, int]
    digest: str


class NoPicture(Exception):
    """A file that cannot be shown; the message says why."""


class Pictures:
    """Makes pictures of files in the dataset's folder; any thread may ask.

    Few are decoded at once, as one may take gigabytes.
    """

    def __init__(self) -> None:
        self._small = BoundedSemaphore(os.cpu_count() or 1)
        self._large = BoundedSemaphore(1)
        # Records keep to the thread that opened them.
        self._recorder = ThreadPoolExecutor(1, "thumbnails")
        self._records = {
            side: thumbnails.records(side, f"review{side}")
            for side in (thumbnails.SMALL, thumbnails.LARGE)
        }
        self._put = 0
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._lock = Lock()

    def thumbnail(self, path: str, content_digest: str | None, side: int) -> bytes:
        """A thumbnail as WebP, from records where it is known.

        Args:
            path: The image.
            content_digest: Of its content, if known.
            side: SMALL or LARGE of `thumbnails`.

        Raises:
            NoPicture: It cannot be read or decoded.
        """
        known = content_digest and self._in_turn(
            lambda: self._records[side].get(content_digest)
        )
        if thumbnails.is_thumbnail(known):
            return thumbnails.content_of(known)
        with self._small:
            content = _read(path)
            try:
                made = thumbnails.encode(content, side)
            except decode.UnreadableImage as error:
                raise NoPicture(f"{path}: {error}") from error
        if digest(content) == content_digest:
            self._in_turn(lambda: self._keep(side, content_digest, made))
        return thumbnails.content_of(made)

    def large(self, path: str) -> Picture:
        """A picture of an image, LARGE at most. Raises NoPicture."""
        content = _read(path)
        name = digest(content)
        with self._large:
            with self._lock:
                if kept := self._kept.get(name):
                    self._kept.move_to_end(name)
                    return kept
            try:
                pixels = decode.read(content, allow_truncated=True)
            except decode.UnreadableImage as error:
                raise NoPicture(f"{path}: {error}") from error
            image = Image.fromarray(pixels)
            size = image.size
            image.thumbnail((LARGE, LARGE), Image.Resampling.LANCZOS)
            file = BytesIO()
            image.save(file, "WEBP", quality=QUALITY)
            picture = Picture(file.getvalue(), size, name)
            with self._lock:
                self._kept[name] = picture
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return picture

    def close(self) -> None:
        """Pack what was made."""
        self._in_turn(self._pack)
        self._recorder.shutdown()

    def _in_turn(self, call: Callable[[], T]) -> T:
        return self._recorder.submit(call).result()

    def _keep(self, side: int, name: str | None, thumbnail: str) -> None:
        with suppress(OSError):  # a full disk: it is made again when it is asked for
            self._records[side].put(name, thumbnail)
        self._put += 1
        if self._put % PACKED == 0:
            self._pack()

    def _pack(self) -> None:
        with suppress(OSError):
            for records in self._records.values():
                records.compact()


def _read(path: str) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise NoPicture(f"{path}: {error.strerror or error}") from error
