"""Locks of the operating system, which end with the process that holds them.

However it ends: that tells what was killed from what is at work, without numbers of
processes, which repeat. Held on a shared file system they count on all machines, where it
is mounted so.
"""

import errno
import fcntl
import os
from pathlib import Path

UNKNOWN = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""Errors by which a file system says that it has no such locks."""


def take(path: str | Path, shared: bool = False) -> int | None:
    """Take the lock of a file, which is made if need be, or raise BlockingIOError.

    shared  others may share it

    Returns the file descriptor that holds it for as long as it is open, in this process
    or in one that it is passed to; None where the file system has no locks.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if error.errno in UNKNOWN:
            return None
        raise
    return file
