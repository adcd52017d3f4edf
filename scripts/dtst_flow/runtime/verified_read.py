"""What a job reads of its images: the content that the inventory noted, or none.

A record of other pixels, stored under the digest of those that were there before, would
be wrong for ever once these come back.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from dtst_flow.dataset.inventory import DIGESTS
from dtst_flow.imaging import decode
from dtst_flow.utils.files import digest

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What says that there is no file of a name any more."""


class Changed(Exception):
    """An image that is no longer what the inventory noted of it."""


class Reading(Protocol):
    """The options of a stage that reads images."""

    background: str
    max_pixels: int


class Listed(Protocol):
    """An image as the inventory lists it."""

    @property
    def path(self) -> str:
        """Relative to the dataset folder."""

    @property
    def digest(self) -> str:
        """That of its content."""


def content(row: Listed) -> bytes:
    """The content of a manifest row's image. Raises Changed, UnreadableImage."""
    try:
        found = Path(row.path).read_bytes()
    except GONE as error:
        raise Changed(row.path) from error
    except OSError as error:
        raise decode.UnreadableImage(f"cannot be read: {error.strerror}") from error
    if digest(found) != row.digest:
        raise Changed(row.path)
    return found


def read(row: Listed, options: Reading) -> np.ndarray:
    """Decode a manifest row's image, as `images.read`. Raises Changed, UnreadableImage."""
    return decode.read(content(row), options.background, max_pixels=options.max_pixels)


def refuse(changed: list[str], state: Path) -> None:
    """Raise SystemExit if images changed: before tables are written, so that the next run
    works on the shard again.

    state  the folder with the bucket's state; what it knows of their content goes
    """
    if changed:
        # In case that only the content changed, not size and time.
        (state / DIGESTS).unlink(missing_ok=True)
        told = "1 image" if len(changed) == 1 else f"{len(changed)} images"
        raise SystemExit(
            f"{told} changed while the run was at work, first: {min(changed)!r}; run again"
        )
