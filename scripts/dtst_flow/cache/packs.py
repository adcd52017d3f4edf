"""Packs: many small values in few files, each an SQLite database that never changes.

None of it needs locks, which the file systems of networks may lack: a pack comes under its
name when it is complete, and what it was made of goes after that. Many packs of a like
size become one.
"""

import itertools
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dtst_flow.utils.files import write_atomic

TABLE = "CREATE TABLE record (key TEXT PRIMARY KEY, value BLOB)"

PAGE = 16384
"""Bytes of a database's page: several embeddings fill one, a single one half of 4096."""

TOGETHER = 16
"""Packs of a like size that become one."""

LARGEST = TOGETHER**4
"""Values of a pack that others became, at most, so that no job has long to copy: some
200 MB of embeddings."""

MERGING = "merging"
"""The folder that is there while a process makes packs one."""


class Pack:
    """A pack to read from. Raises FileNotFoundError when it is gone.

    It may come from a stranger: a file that is anything but such a table is as good as an
    empty one.
    """

    def __init__(self, path: Path):
        open(path, "rb").close()  # which tells better than SQLite why it cannot
        address = f"file:{quote(str(path))}?immutable=1"  # so that it takes no locks
        self._database = sqlite3.connect(address, uri=True)
        self._usable = True
        schema = self._select("SELECT sql FROM sqlite_master")
        self._usable = [*schema] == [(TABLE,), (None,)]

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        found = self._select("SELECT value FROM record WHERE key = ?", key)
        return next((value for (value,) in found if isinstance(value, bytes)), None)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """All keys and values."""
        return self._select("SELECT key, value FROM record")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _select(self, query: str, *values: str) -> Iterator[tuple]:
        with suppress(sqlite3.Error):
            if self._usable:
                yield from self._database.execute(query, values)


class _Name(NamedTuple):
    """What the name of a pack tells: those of higher numbers are newer."""

    number: int
    count: int
    path: Path


def load(folder: Path) -> list[Pack]:
    """The packs in a folder, the newest first."""
    while True:
        with suppress(FileNotFoundError):  # they have just become one
            return _load(reversed(_names(folder)))


def add(folder: Path, values: dict[str, bytes]) -> None:
    """Make a pack of values by their keys; they count, whatever older packs hold."""
    names = _names(folder)
    _write(folder, names[-1].number + 1 if names else 1, sorted(values.items()))
    _merge(folder)


def unlock(folder: Path) -> None:
    """Let packs become one again after a process died in the midst of it."""
    with suppress(FileNotFoundError):
        (folder / MERGING).rmdir()


def _names(folder: Path) -> list[_Name]:
    """The packs in a folder, the oldest first."""
    found = []
    for path in folder.glob("*.pack"):
        match = re.fullmatch(r"(\d{8})-(\d+)-[0-9a-f]+\.pack", path.name)
        if match and path.is_file():
            found.append(_Name(int(match[1]), int(match[2]), path))
    return sorted(found)


def _load(names: Iterable[_Name]) -> list[Pack]:
    return [Pack(name.path) for name in names]


def _write(folder: Path, number: int, rows: Iterable[tuple[str, bytes]]) -> None:
    """Write a pack; of a key that comes again the first value counts."""
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
    """Make one of those of a like size, as long as there are many.

    While somebody else is about it they do it alone.
    """
    while due := _due(_names(folder)):
        try:
            (folder / MERGING).mkdir()
        except FileExistsError:
            return
        try:
            with ExitStack() as stack:
                loaded = [stack.enter_context(closing(pack)) for pack in _load(due)]
                every = itertools.chain.from_iterable(pack.rows() for pack in loaded)
                _write(folder, due[0].number, every)
            for name in due:
                name.path.unlink(missing_ok=True)
        except FileNotFoundError:  # they did it while we were looking
            return
        finally:
            unlock(folder)


def _due(names: list[_Name]) -> list[_Name]:
    """The packs that are to become one, the newest first.

    They are neighbours in age, so that what is newer stays so.
    """
    limit = TOGETHER
    while limit <= LARGEST:
        small = _newest(names, limit)
        totals = itertools.accumulate(name.count for name in small)
        fitting = sum(total <= LARGEST for total in totals)
        if len(small) >= TOGETHER and fitting > 1:
            return small[:fitting]
        limit *= TOGETHER
    return []


def _newest(names: list[_Name], limit: int) -> list[_Name]:
    """The packs of fewer values that came after the last of so many or more."""
    small = itertools.takewhile(lambda name: name.count < limit, reversed(names))
    return list(small)
