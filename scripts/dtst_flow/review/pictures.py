"""The pictures of a review: thumbnails from records, and larger ones made when asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from dtst_flow.report import thumbnails
from dtst_flow.review.stamp import Stamp, stamp_of

if TYPE_CHECKING:
    from dtst_flow.review.painters import Painters

T = TypeVar("T")

LARGE = 1600
"""The longer side of a large picture in pixels, at most."""

KEPT = 8
"""Large pictures that are kept for whoever asks again."""

PACKED = 2000
"""After how many new thumbnails they are packed."""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        webp: Its content.
        size: Width and height of the original, upright; not known of a thumbnail.
        digest: Of the original's content.
    """

    webp: bytes
    size: tuple[int, int] | None
    digest: str


class NoPicture(Exception):
    """A file that cannot be shown; the message says why."""


class Pictures:
    """Makes pictures of files in the dataset's folder; any thread may ask."""

    def __init__(self) -> None:
        self._painters: Painters | None = None
        self._ended = False
        # Records keep to the thread that opened them.
        self._recorder = ThreadPoolExecutor(1, "thumbnails")
        self._records = {
            side: thumbnails.records(side, f"review{side}")
            for side in (thumbnails.SMALL, thumbnails.LARGE)
        }
        self._put = 0
        self._kept: OrderedDict[tuple[str, Stamp], Picture] = OrderedDict()
        self._large = Lock()
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
        made = self._paint(path, side)
        if made.digest == content_digest:
            record = thumbnails.record_of(made.webp)
            self._in_turn(lambda: self._keep(side, content_digest, record))
        return made.webp

    def large(self, path: str) -> Picture:
        """A picture of an image, LARGE at most. Raises NoPicture."""
        name = path, stamp_of(path)
        with self._large:  # one at a time, as it may take gigabytes
            if kept := self._kept.get(name):
                self._kept.move_to_end(name)
                return kept
            picture = self._kept[name] = self._paint(path, None)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return picture

    def _paint(self, path: str, side: int | None) -> Picture:
        """Have a picture made in a process that an image may end."""
        from dtst_flow.review.painters import Painters  # loads what decodes

        with self._lock:
            if self._ended:
                raise NoPicture("the review ends")
            self._painters = self._painters or Painters()
        return self._painters.paint(path, side)

    def end(self) -> None:
        """Make no more, also for those who wait."""
        with self._lock:
            self._ended = True
        if self._painters:
            self._painters.close()

    def close(self) -> None:
        """Pack what was made, and make no more."""
        self.end()
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
