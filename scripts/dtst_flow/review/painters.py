"""Pictures as they are made, in processes of their own: an image may end its decoder."""

import faulthandler
import os
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from dtst_flow.imaging import decode
from dtst_flow.report import thumbnails
from dtst_flow.review.pictures import LARGE, NoPicture, Picture
from dtst_flow.review.stamp import Stamp, stamp_of
from dtst_flow.runtime.crew import Crew
from dtst_flow.runtime.pool import Died, TooLong
from dtst_flow.runtime.verified_read import Changed
from dtst_flow.utils.files import digest, read_bytes

QUALITY = 82
"""Quality of WebP of large pictures."""

MOST = 4
"""Most processes; a large image takes one of them gigabytes."""

PATIENCE = 60.0
"""Seconds that a picture may take."""


class Wanted(NamedTuple):
    """A picture to be made.

    Attributes:
        path: The image.
        side: The longer side of a thumbnail; None for a large picture.
    """

    path: str
    side: int | None


class Painter:
    """Makes pictures; a worker."""

    def __init__(self) -> None:
        faulthandler.disable()  # the page tells of a crash, and the terminal is no log

    def __call__(self, wanted: Wanted) -> Picture:
        """Make a picture. Raises UnreadableImage."""
        try:
            content = read_bytes(wanted.path)
        except OSError as error:
            raise decode.UnreadableImage(error.strerror or str(error)) from error
        if wanted.side is None:
            webp, size = _large(content)
        else:
            webp, size = thumbnails.encode(content, wanted.side), None
        return Picture(webp, size, digest(content))

    def close(self) -> None:
        """Nothing is held."""


def _large(content: bytes) -> tuple[bytes, tuple[int, int]]:
    """A picture of an image, LARGE at most, and the size of the image."""
    image = Image.fromarray(decode.read(content, allow_truncated=True))
    size = image.size
    image.thumbnail((LARGE, LARGE), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    return file.getvalue(), size


class Painters:
    """Processes that make pictures; any thread may ask.

    An image at which one died or stayed is not tried again while it stays as it is.
    """

    def __init__(self) -> None:
        most = min(os.cpu_count() or 1, MOST)
        self._crew: Crew[Wanted, Picture] = Crew(Painter, most, PATIENCE)
        self._deadly: dict[tuple[str, Stamp], str] = {}
        self.close = self._crew.close

    def paint(self, path: str, side: int | None) -> Picture:
        """Have a picture made, as `Wanted` says. Raises NoPicture."""
        known = path, stamp_of(path)
        if reason := self._deadly.get(known):
            raise NoPicture(reason)
        answer = self._crew.do(Wanted(path, side))
        if isinstance(answer, Picture):
            return answer
        assert not isinstance(answer, Changed)  # we look for none
        reason = f"{path}: {answer.reason}"
        if isinstance(answer, Died | TooLong):
            self._deadly[known] = reason
        raise NoPicture(reason)
