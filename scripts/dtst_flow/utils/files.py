"""Write files so that no reader ever sees half of one, and name their content.

Any file may be a stranger's. So all are opened by `open_regular` and read up to a limit: a
pipe would be waited for without end, and a device or a hole fill the memory.
"""

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from dtst_flow.utils.folders import folders_below

TEMPORARY_PREFIX = ".dtst-"
"""How the names of unfinished files begin; a killed writer leaves such files."""

DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
)
"""Errors of the disk or of its permissions; a sentence about one says all, without a
traceback."""

LARGEST = 1 << 30
"""Most bytes of a file that is read whole, where nothing smaller is said."""

PIECE = 1 << 18
"""Bytes of a table that are read at once, about."""


LARGE_PIECE = 1 << 24
"""Bytes of a large file that are read at once."""


@contextmanager
def temporary(path: str | Path) -> Iterator[Path]:
    """Give a name for a file to be made in the folder of `path` and then renamed.

    The folder is made if it does not exist. A file that still has the name at the end of
    the block is removed.

    Args:
        path: The name that the file will get.

    Yields:
        The name to make it under.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A random name: process numbers repeat across the nodes of a cluster.
    new = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}.tmp")
    try:
        yield new
    finally:
        # It also exists after a rename onto another name of the same file, which does
        # nothing.
        new.unlink(missing_ok=True)


def make_way(path: str | Path) -> None:
    """Remove a pipe or a socket where a file of the workflow's own is to be."""
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = os.lstat(path).st_mode  # of a link nobody knows whose it is
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            os.unlink(path)


def sweep(folder: str | Path, below: bool = False) -> None:
    """Remove the files that killed writers left.

    Args:
        folder: Where they are.
        below: Whether to look in all folders below as well.
    """
    for here in folders_below(folder) if below else [Path(folder)]:
        for leftover in here.glob(f"{TEMPORARY_PREFIX}*.tmp"):
            leftover.unlink(missing_ok=True)


def write_atomic(
    path: str | Path,
    content: bytes | bytearray,
    durable: bool = False,
    like: Path | None = None,
) -> None:
    """Write a file under a temporary name in its folder, then rename it.

    Two processes may write the same path at once: each has its own temporary name, and
    the last rename wins.

    Args:
        path: The file.
        content: What it is to hold.
        durable: Whether to wait until the content is on the disk before it is renamed, so
            that a power cut cannot leave an empty file either. That takes up to some ten
            ms. Use it for files with the user's own words, and for files that might stay
            empty without notice. An empty record or crop is noticed.
        like: A file whose mode, attributes and, where that is allowed, owner it gets.
    """
    with temporary(path) as new:
        with open(new, "wb") as file:
            if like:
                _take_after(new, like)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, path)


def append(path: str | Path, content: bytes) -> None:
    """Add to the end of a file; it and its folder are made if they do not exist."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    with open(path, "ab") as file:
        file.write(content)


def _take_after(new: Path, like: Path) -> None:
    owner = os.stat(like)
    with suppress(OSError):  # only root may give a file to others
        os.chown(new, owner.st_uid, owner.st_gid)
    shutil.copystat(like, new)


_COMPACT = json.JSONEncoder(separators=(",", ":"))
_SORTED = json.JSONEncoder(sort_keys=True)
"""Made only once, as `json.dumps` would make one for every row of a table."""


def to_json(value: Any, indent: int | None = None) -> bytes:
    """Write a value as canonical JSON: the same value gives the same bytes.

    The bytes are ASCII, so that names which are not valid UTF-8 (surrogate escapes) are
    the same when they are read again.

    Args:
        value: Any JSON value.
        indent: Spaces of each level; None for a single line.
    """
    if indent is None:
        return _COMPACT.encode(value).encode()
    return json.dumps(value, indent=indent).encode()


class NotRegular(OSError):
    """What is no file to be read: a pipe, a device or a socket."""


def open_regular(path: str | Path) -> BufferedReader:
    """Open a file to read it, without waiting for anybody.

    Args:
        path: The file, or a link to it.

    Raises:
        NotRegular: What has the name is a pipe, a device or a socket.
        OSError: It cannot be opened, or is a folder.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, which no program can open
            raise _not_regular(path) from error
        raise
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(file, "rb")
    os.close(file)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise _not_regular(path)


def _not_regular(path: str | Path) -> NotRegular:
    return NotRegular(errno.EINVAL, "it is not a regular file", str(path))


def _too_large(path: str | Path, most: float) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {most:.0f} bytes", str(path))


def read_bytes(path: str | Path, most: int = LARGEST) -> bytes:
    """Read all of a file.

    Args:
        path: The file.
        most: Most bytes that it may have.

    Raises:
        NotRegular: What has the name is a pipe, a device or a socket.
        OSError: It cannot be read, or has more bytes.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = (file.read(size + 1) or b"") if size <= most else b""
        # Some files of the system have a size of 0 and content nevertheless.
        while size < len(content) <= most and (more := file.read(PIECE)):
            content += more
    if max(size, len(content)) > most:
        raise _too_large(path, most)
    return content


GARBAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading a file raises that is not as we wrote it."""


def read_json(path: str | Path) -> Any:
    """Read the value in a JSON file. Raises as `read_bytes`, and ValueError."""
    try:
        return json.loads(read_bytes(path))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def digest(content: bytes) -> str:
    """Name content by 128 bits of its BLAKE2b hash, in hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_open(file: IO[bytes], tick: Callable[[], object]) -> str:
    """Give the `digest` of what an open file has left, and call `tick` for every piece."""
    total = hashlib.blake2b(digest_size=16)
    while piece := file.read(LARGE_PIECE):
        total.update(piece)
        tick()
    return total.hexdigest()


def digest_file(path: str | Path, most: float = math.inf) -> str:
    """Give the `digest` of a file's content, which is read in pieces.

    Args:
        path: The file.
        most: Most bytes that it may have.

    Raises:
        NotRegular: What has the name is a pipe, a device or a socket.
        OSError: It cannot be read, or has more bytes.
    """
    total, size = hashlib.blake2b(digest_size=16), 0
    with open_regular(path) as file:
        while (piece := file.read(PIECE)) and size <= most:
            total.update(piece)
            size += len(piece)
    if size > most:
        raise _too_large(path, most)
    return total.hexdigest()


def digest_value(value: Any) -> str:
    """Give the `digest` of a JSON value, whatever the order of its keys."""
    return digest(_SORTED.encode(value).encode())
