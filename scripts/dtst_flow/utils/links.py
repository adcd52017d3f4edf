"""Make a file from another one: a copy of it, or a link to it."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dtst_flow.utils.files import PIECE, open_regular

FICLONE = 0x40049409
"""Linux' request to share a file's blocks with another file; elsewhere it is refused."""

REFUSALS = frozenset(
    {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
)
"""Errors by which a file system says that it cannot make this link."""


class LinkRefused(Exception):
    """A link that the file system refuses; the message says what would do."""


def copy(source: str | Path, new: Path) -> None:
    """Copy a file's content; it shares the blocks where the file system can.

    Args:
        source: The file to copy.
        new: The name of the copy.
    """
    with open_regular(source) as content, open(new, "wb") as file:
        try:
            fcntl.ioctl(file, FICLONE, content.fileno())
        except OSError:  # all or nothing: the file is still empty
            shutil.copyfileobj(content, file, PIECE)


def hard(source: str | Path, new: Path) -> None:
    """Give a file one more name.

    Args:
        source: The file.
        new: Its new name.

    Raises:
        LinkRefused: The file system cannot make this link.
    """
    # A source that is a symbolic link is resolved first, as Linux would link the link.
    _link(os.link, os.path.realpath(source), new)


def symbolic(source: str | Path, new: Path) -> None:
    """Make a symbolic link that leads to a file by a relative path.

    Args:
        source: The file.
        new: The name of the link.

    Raises:
        LinkRefused: The file system cannot make this link.
    """
    # The system follows it from the real place of its folder, whatever links lead there.
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
"""Value of the setting ``link`` -> the function that makes the file: (source, new)."""
