"""Making a file out of another: a copy of it, or a link to it."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

FICLONE = 0x40049409
"""Linux' request to share a file's blocks with another; elsewhere it is refused."""

REFUSALS = frozenset(
    {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
)
"""Errors by which a file system says that it cannot have this link."""


class LinkRefused(Exception):
    """A link that the file system refuses; the message says what would do."""


def copy(source: str | Path, new: Path) -> None:
    """Copy a file's content, by sharing its blocks where the file system can."""
    with open(source, "rb") as content, open(new, "wb") as file:
        try:
            fcntl.ioctl(file, FICLONE, content.fileno())
            return
        except OSError:
            pass  # all or nothing: the file is still empty
    shutil.copyfile(source, new)


def hard(source: str | Path, new: Path) -> None:
    """Give a file one more name. Raises LinkRefused."""
    # A source that is itself a link is resolved first: Linux would link the link.
    _link(os.link, os.path.realpath(source), new)


def symbolic(source: str | Path, new: Path) -> None:
    """Make a link that leads to a file by a relative path. Raises LinkRefused."""
    # It is followed from where its folder really lies, whatever links lead there.
    _link(os.symlink, os.path.relpath(source, os.path.realpath(new.parent)), new)


def _link(make: Callable[[str, Path], None], source: str, new: Path) -> None:
    try:
        make(source, new)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise LinkRefused(
            f"cannot be linked into {str(new.parent)!r}: {error.strerror}; "
            "use another --link, such as copy"
        ) from error


LINKERS = {"copy": copy, "hard": hard, "symbolic": symbolic}
"""Setting ``link`` -> what makes the file: (source, name of the new file)."""
