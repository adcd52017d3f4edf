"""Write files so that no reader ever sees half of one, and name their content."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY_PREFIX = ".dtst-"
"""How the names of unfinished files begin; a killed writer leaves such files."""

DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
)
"""Errors of the disk or of its permissions; a sentence about one says all, without a
traceback."""

LONGEST_ROW = 1 << 24
"""Most bytes of a table's row."""

PIECE = 1 << 18
"""Bytes of a table that are read at once, about."""


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


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: str | Path, below: bool = False) -> None:
    """Remove the files that killed writers left.

    Args:
        folder: Where they are.
        below: Whether to look in all folders below as well.
    """
    pattern = f"{TEMPORARY_PREFIX}*.tmp"
    for leftover in Path(folder).glob(f"**/{pattern}" if below else pattern):
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


def _take_after(new: Path, like: Path) -> None:
    owner = os.stat(like)
    with suppress(OSError):  # only root may give a file to others
        os.chown(new, owner.st_uid, owner.st_gid)
    shutil.copystat(like, new)


_COMPACT = json.JSONEncoder(separators=(",", ":"))
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


def read_json(path: str | Path) -> Any:
    """Read the value in a JSON file."""
    return json.loads(Path(path).read_bytes())


def write_table(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON Lines, one object a line, durably."""
    # Grown row by row, as joining the rows would take their memory a second time.
    content = bytearray()
    for row in rows:
        content += to_json(row) + b"\n"
    write_atomic(path, content, durable=True)


class BrokenTable(ValueError):
    """A table that is none, or was damaged; the message says so and what to do."""


def read_table(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows that `write_table` wrote. Raises BrokenTable."""
    with open(path, "rb") as file:
        # Rows that are parsed together share their keys in memory.
        while lines := file.readlines(PIECE):
            try:
                rows = json.loads(b"[" + b",".join(lines) + b"]")
            except (ValueError, RecursionError) as error:
                raise BrokenTable(
                    f"{path} is not as dtst writes it; delete it and run the same again"
                ) from error
            yield from rows


def is_table(path: str | Path, *columns: str) -> bool:
    """Tell by its beginning and its end whether a file is a table.

    Whoever makes such a file anew need not read all rows, of which there may be a million.

    Args:
        path: The file; one that is not there is no table.
        columns: What its first row must have.
    """
    try:
        with open(path, "rb") as file:
            first = file.readline(LONGEST_ROW)
            if not first:
                return True
            file.seek(-2, os.SEEK_END)
            row, end = json.loads(first), file.read()
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and row.keys() >= set(columns) and end == b"}\n"


def digest(content: bytes) -> str:
    """Name content by 128 bits of its BLAKE2b hash, in hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_file(path: str | Path) -> str:
    """Give the `digest` of a file's content, which is read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.blake2b(digest_size=16)
        ).hexdigest()


def digest_value(value: Any) -> str:
    """Give the `digest` of a JSON value, whatever the order of its keys."""
    return digest(json.dumps(value, sort_keys=True).encode())
