"""Writing files so that a reader never meets half of one, and naming their content."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY_PREFIX = ".dtst-"
"""How the names of unfinished files begin; a killed writer leaves them behind."""

DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
)
"""Errors that are nobody's fault but the disk's or its owner's; a sentence tells all."""


PIECE = 1 << 18
"""Bytes of a table read at once, about."""


@contextmanager
def temporary(path: str | Path) -> Iterator[Path]:
    """A name beside a path, for a file to be made under and then renamed.

    Makes the folder if need be. What bears the name at the end of the block is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A random name: process numbers repeat across the nodes of a cluster.
    new = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}.tmp")
    try:
        yield new
    finally:
        # There also after a rename that found two names of one file: it does nothing.
        new.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: str | Path, below: bool = False) -> None:
    """Remove what killed writers left in a folder; `below`: in those below it, too."""
    pattern = f"{TEMPORARY_PREFIX}*.tmp"
    for leftover in Path(folder).glob(f"**/{pattern}" if below else pattern):
        leftover.unlink(missing_ok=True)


def write_atomic(path: str | Path, content: bytes, durable: bool = False) -> None:
    """Write a file under a temporary name beside it, then rename it into place.

    Two processes may write the same path at once: each has its own temporary name and
    the last rename wins.

    durable  wait until the content is on the disk before it is renamed, so that a power
             cut cannot leave an empty file either. It takes up to some ten ms, and is for
             what holds words of the user's, or would not be missed when it is empty:
             records and crops are.
    """
    with temporary(path) as new:
        with open(new, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, path)


_COMPACT = json.JSONEncoder(separators=(",", ":"))
"""Made once, as `json.dumps` would make one for every row of a table."""


def to_json(value: Any, indent: int | None = None) -> bytes:
    """Canonical JSON: the same value gives the same bytes.

    ASCII only, so that names which are not valid UTF-8 (surrogate escapes)
    survive the way to disk and back.
    """
    if indent is None:
        return _COMPACT.encode(value).encode()
    return json.dumps(value, indent=indent).encode()


def read_json(path: str | Path) -> Any:
    """The value in a JSON file."""
    return json.loads(Path(path).read_bytes())


def write_table(path: str | Path, rows: Iterable[dict]) -> None:
    """Write rows as JSON Lines, one object a line, durably."""
    # Grown row by row: to be joined, all rows would lie in memory a second time.
    content = bytearray()
    for row in rows:
        content += to_json(row) + b"\n"
    write_atomic(path, content, durable=True)


def read_table(path: str | Path) -> Iterator[dict]:
    """Yield the rows that `write_table` wrote."""
    with open(path, "rb") as file:
        # Rows that are parsed together share the strings of their keys.
        while lines := file.readlines(PIECE):
            yield from json.loads(b"[" + b",".join(lines) + b"]")


def digest(content: bytes) -> str:
    """Name content by 128 bits of BLAKE2b, as hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_file(path: str | Path) -> str:
    """`digest` of a file's content, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.blake2b(digest_size=16)
        ).hexdigest()


def digest_value(value: Any) -> str:
    """`digest` of a JSON value, whatever the order of its keys."""
    return digest(json.dumps(value, sort_keys=True).encode())
