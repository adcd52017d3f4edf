"""What a job reads of its images: the content that the inventory noted, or nothing.

A record of other pixels, stored under the digest of the previous ones, would be wrong
forever once those come back.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dtst_flow.dataset import digests
from dtst_flow.imaging import decode
from dtst_flow.imaging.file import Listener
from dtst_flow.utils import pace
from dtst_flow.utils.files import (
    NotRegular,
    digest,
    digest_open,
    open_regular,
    read_bytes,
)
from dtst_flow.utils.text import printable_lines

log = logging.getLogger(__name__)

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, NotRegular)
"""Errors that say that there is no file of this name any more."""


class Changed(Exception):
    """An image that is no longer as the inventory noted it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The settings of a stage that reads images, its others aside.

    Attributes:
        background: The colour that shows through transparent pixels, "#rrggbb".
        allow_truncated: Whether to read files that are cut short, however much is missing.
        max_pixels: An image of more is refused; without effect on all others.
        max_seconds: An image that takes longer fails, as `pace.At` has it; without effect
            on all others.
    """

    background: str = decode.WHITE
    allow_truncated: bool = False
    max_pixels: int = decode.MAX_PIXELS
    max_seconds: float = pace.SECONDS


class Listed(Protocol):
    """An image as the inventory lists it."""

    @property
    def path(self) -> str:
        """Relative to the dataset folder."""

    @property
    def digest(self) -> str:
        """That of its content."""


def content(row: Listed) -> bytes:
    """The content of a manifest row's image.

    Raises:
        Changed: The image is gone, or its content is not the one that was noted.
        UnreadableImage: The system cannot read it.
    """
    try:
        data = read_bytes(row.path, sys.maxsize)  # as large as the inventory let in
    except GONE as error:
        raise Changed(row.path) from error
    except OSError as error:
        raise decode.UnreadableImage(f"cannot be read: {error.strerror}") from error
    if digest(data) != row.digest:
        raise Changed(row.path)
    return data


@contextmanager
def opened(row: Listed) -> Iterator[tuple[IO[bytes], Callable[[], None]]]:
    """Open a manifest row's file that is too large to be read at once.

    Yields:
        The file, and what raises Changed if it was written to since. Called after a part
        was read, it vouches for that part.

    Raises:
        Changed: The file is gone, or its content is not the one that was noted.
        UnreadableImage: The system cannot read it.
    """
    try:
        file = open_regular(row.path)
    except GONE as error:
        raise Changed(row.path) from error
    except OSError as error:
        raise decode.UnreadableImage(f"cannot be read: {error.strerror}") from error
    with file:
        before = _stamp(file)

        def check() -> None:
            if _stamp(file) != before:
                raise Changed(row.path)

        try:
            found = digest_open(file, functools.partial(pace.at, row.path))
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            raise decode.UnreadableImage(why) from error
        if found != row.digest:
            raise Changed(row.path)
        file.seek(0)
        yield file, check


def _stamp(file: IO[bytes]) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def read(row: Listed, options: Reading) -> NDArray[np.uint8]:
    """Decode a manifest row's image, as `decode.read`: (height, width, 3) RGB.

    What was amiss with the file and was overcome is in the job's log.

    Raises:
        Changed: The image is gone, or its content is not the one that was noted.
        UnreadableImage: It cannot be read or decoded.
    """

    def note(amiss: str) -> None:
        log.warning("%s", printable_lines(f"{row.path}: {amiss}"))

    return decode.read(
        content(row),
        options.background,
        max_pixels=options.max_pixels,
        allow_truncated=options.allow_truncated,
        listener=Listener(begun=functools.partial(pace.at, row.path), note=note),
    )


def depends(options: Reading) -> dict[str, Any]:
    """The settings on which the pixels depend that are read; they name results."""
    cut = {"allow_truncated": True} if options.allow_truncated else {}
    return {"background": options.background, **cut}


def refuse(changed: list[str], state: Path) -> None:
    """End the job if images changed.

    To be called before tables are written, so that the next run works on the shard again.

    Args:
        changed: The paths of images that changed.
        state: The folder with the bucket's state; what it knows about the content of
            images is deleted.

    Raises:
        SystemExit: Images changed.
    """
    if changed:
        # In case only the content changed, not size and time.
        (state / digests.FILE).unlink(missing_ok=True)
        count = "1 image" if len(changed) == 1 else f"{len(changed)} images"
        raise SystemExit(
            f"{count} changed while the run was at work, first: {min(changed)!r}; run again"
        )
