"""Packs: many small values in few files, each an SQLite database that never changes.

Nothing here needs locks, which network file systems may lack: a pack gets its name when it
is complete, and only then is what it was made from removed. Many packs of a similar size
are merged into one.
"""

import itertools
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from dtst_flow.utils.files import open_regular, write_atomic

TABLE = "CREATE TABLE record (key TEXT PRIMARY KEY, value BLOB)"

PAGE = 16384
"""Bytes of a database's page. Several embeddings fill one; a single embedding would fill
only half of a page of 4096."""

TOGETHER = 16
"""Packs of a similar size that are merged into one."""

LARGEST = TOGETHER**4
"""Most values of a merged pack, so that no job takes long to copy them: some 200 MB of
embeddings."""

MERGING = "merging"
"""The folder that exists while a process merges packs."""


class Pack:
    """A pack to read from.

    It may come from a stranger: a file that is no such table counts as empty.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: The file is gone.
    """

    def __init__(self, path: Path) -> None:
        open_regular(path).close()  # its error says more than SQLite's
        address = f"file:{quote(str(path))}?immutable=1"  # so that it takes no locks
        self._database = sqlite3.connect(address, uri=True)
        self._usable = True
        schema = self._select("SELECT sql FROM sqlite_master")
        self._usable = [*schema] == [(TABLE,), (None,)]

    def get(self, key: str) -> bytes | None:
        """Look up the value of a key; None if it has none."""
        rows = self._select("SELECT value FROM record WHERE key = ?", key)
        return next((value for (value,) in rows if isinstance(value, bytes)), None)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """Yield all keys and values."""
        return self._select("SELECT key, value FROM record")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _select(self, query: str, *values: str) -> Iterator[Any]:
        with suppress(sqlite3.Error):
            if self._usable:
                yield from self._database.execute(query, values)


class _Name(NamedTuple):
    """What the name of a pack says.

    Attributes:
        number: Packs of higher numbers are newer.
        size: How many values the pack has.
        path: The file.
    """

    number: int
    size: int
    path: Path


def load(folder: Path) -> list[Pack]:
    """Open the packs in a folder, the newest first."""
    while True:
        with suppress(FileNotFoundError):  # they were just merged
            return _load(reversed(_names(folder)))


def add(folder: Path, values: dict[str, bytes]) -> None:
    """Write a pack; its values replace those of older packs.

    Args:
        folder: The folder of the packs.
        values: Value of each key.
    """
    names = _names(folder)
    _write(folder, names[-1].number + 1 if names else 1, sorted(values.items()))
    _merge(folder)


def unlock(folder: Path) -> None:
    """Allow merging again after a process died while it merged."""
    with suppress(FileNotFoundError):
        (folder / MERGING).rmdir()


def _names(folder: Path) -> list[_Name]:
    """List the packs in a folder, the oldest first."""
    names = []
    for path in folder.glob("*.pack"):
        match = re.fullmatch(r"(\d{8})-(\d+)-[0-9a-f]+\.pack", path.name)
        if match and path.is_file():
            names.append(_Name(int(match[1]), int(match[2]), path))
    return sorted(names)


def _load(names: Iterable[_Name]) -> list[Pack]:
    return [Pack(name.path) for name in names]


def _write(folder: Path, number: int, rows: Iterable[tuple[str, bytes]]) -> None:
    """Write a pack; of a key that comes more than once the first value counts."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {PAGE}")
        database.execute(TABLE)
        database.execute("BEGIN")
        database.executemany("INSERT OR IGNORE INTO record VALUES (?, ?)", rows)
        database.execute("COMMIT")
        (count,) = database.execute("SELECT count(*) FROM record").fetchone()
        name = f"{number:08}-{count}-{secrets.token_hex(6)}.pack"
        write_atomic(folder / name, database.serialize(), durable=True)


def _merge(folder: Path) -> None:
    """Merge packs of a similar size, as long as there are many.

    While another process merges this one does nothing.
    """
    while due := _due(_names(folder)):
        try:
            (folder / MERGING).mkdir()
        except FileExistsError:
            return
        try:
            with ExitStack() as stack:
                loaded = [stack.enter_context(closing(pack)) for pack in _load(due)]
                rows = itertools.chain.from_iterable(pack.rows() for pack in loaded)
                _write(folder, due[0].number, rows)
            for name in due:
                name.path.unlink(missing_ok=True)
        except FileNotFoundError:  # another process just merged them
            return
        finally:
            unlock(folder)


def _due(names: list[_Name]) -> list[_Name]:
    """Choose the packs to merge, the newest first.

    They are neighbours in age, so that what is newer stays newer.
    """
    limit = TOGETHER
    while limit <= LARGEST:
        small = _newest(names, limit)
        totals = itertools.accumulate(name.size for name in small)
        fitting = sum(total <= LARGEST for total in totals)
        if len(small) >= TOGETHER and fitting > 1:
            return small[:fitting]
        limit *= TOGETHER
    return []


def _newest(names: list[_Name], limit: int) -> list[_Name]:
    """Choose the packs that are newer than all of `limit` values or more."""
    small = itertools.takewhile(lambda name: name.size < limit, reversed(names))
    return list(small)
