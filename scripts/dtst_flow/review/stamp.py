"""Whether a file is still the one that was read."""

import os
from pathlib import Path

Stamp = tuple[int, ...] | None
"""What a file is known by: the same stamp, the same content; None where there is none."""


def stamp_of(path: str | Path) -> Stamp:
    """The stamp of a file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
