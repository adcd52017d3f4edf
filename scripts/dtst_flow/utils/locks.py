"""Locks of the operating system, which end with the process that holds them.

They end however the process ends. So they tell a killed process from one at work, which
process numbers cannot, as these repeat. On a shared file system a lock counts for all
machines if the file system is mounted that way.
"""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dtst_flow.utils.files import make_way

UNKNOWN = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""Errors by which a file system says that it has no such locks."""


def take(path: str | Path, shared: bool = False) -> int | None:
    """Take the lock of a file, which is made if it does not exist.

    Args:
        path: The file.
        shared: Whether others may hold the lock at the same time, shared as well.

    Returns:
        The file descriptor that holds the lock for as long as it is open, in this process
        or in one that it is passed to; None if the file system has no locks.

    Raises:
        BlockingIOError: Somebody else holds the lock.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    make_way(path)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if error.errno in UNKNOWN:
            return None
        raise
    return file


@contextmanager
def hold(folder: str | Path) -> Iterator[None]:
    """Wait for the lock of a folder, and hold it; nothing where the file system has none.

    Nothing is written: whoever edits a file of the user's leaves no other beside it.
    """
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            # NFS wants a file that is open for writing.
            if error.errno not in UNKNOWN | {errno.EBADF}:
                raise
        yield
    finally:
        os.close(file)


def are_known(folder: str | Path) -> bool:
    """Tell whether the file system of a folder has such locks.

    Raises:
        OSError: The folder cannot be written to.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in UNKNOWN:
                return False
            raise
    return True
