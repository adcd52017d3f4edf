"""Entries: what ledgers and journals note of each file that the workflow writes.

A file is noted twice: before it is written as a `Claim`, and afterwards as an `Entry`. On
disk each is one row of JSON, {path, written, claimed, restored, shows} or {path, key, stat,
written, sidecar, shows}.

Ledgers may come with a dataset from anywhere, so rows whose path leads out of the bucket
are skipped.
"""

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from dtst_flow.dataset.containment import is_relative
from dtst_flow.utils import row_json
from dtst_flow.utils.files import NotRegular
from dtst_flow.utils.tables import EndlessLine, pieces_of

Stat = tuple[int, int]
"""Size in bytes and modification time in ns of a file."""

Signature = dict[str, str]
"""What `sidecars.signature` gives for the keys that we wrote into a sidecar."""

GRAINS = (100, 1_000, 1_000_000, 1_000_000_000)
"""Nanoseconds that file systems and archives keep times to."""


def stat_of(path: str | Path, follow_links: bool = True) -> Stat | None:
    """Look at the size and time of a file.

    Args:
        path: The file.
        follow_links: Whether to look at the file that a symbolic link leads to; else at
            the link itself, as long as it leads to any file.

    Returns:
        Size and time, or None if there is no such file.
    """
    try:
        status = os.stat(path, follow_symlinks=follow_links)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(status.st_mode) and not os.path.exists(path):
        return None
    return status.st_size, status.st_mtime_ns


def unchanged(now: Sequence[int] | None, noted: Sequence[int] | None) -> bool:
    """Tell whether a file is still as it was noted.

    The time may be cut short by now, in a dataset that came in an archive or from another
    file system; the file still counts as unchanged then.

    Args:
        now: What `stat_of` gives now.
        noted: What `stat_of` gave before.
    """
    if now is None or noted is None:
        return now == noted
    size, time = noted
    return now[0] == size and (
        now[1] == time or any(now[1] == time - time % grain for grain in GRAINS)
    )


class Entry(NamedTuple):
    """A file that we wrote.

    Attributes:
        path: Its path relative to the bucket.
        key: Names all that its content was made from.
        stat: Its size and time. Those of a symbolic link are its own, as the file that it
            leads to is not ours to keep.
        written: The signatures of all that we may have left in its sidecar.
        sidecar: Size and time of its sidecar, None without one.
        shows: Its subject (`subjects`); "" of a file that has none.
    """

    path: str
    key: str
    stat: Stat | None
    written: tuple[Signature, ...]
    sidecar: Stat | None
    shows: str = ""

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "Entry":
        """Take an entry from its row, of which a stranger's may lack all but the path."""
        return cls(
            row["path"],
            row.get("key", ""),
            _stat(row.get("stat")),
            tuple(row.get("written", ())),
            _stat(row.get("sidecar")),
            str(row.get("shows", "")),
        )

    def to_row(self) -> dict[str, Any]:
        """The row of a ledger, journal or table."""
        return {
            "path": self.path,
            "key": self.key,
            "stat": self.stat,
            "written": self.written,
            "sidecar": self.sidecar,
            **({"shows": self.shows} if self.shows else {}),
        }

    @property
    def size(self) -> int:
        """Bytes of the file and its sidecar together."""
        return sum(size for size, _ in filter(None, (self.stat, self.sidecar)))


class Claim(NamedTuple):
    """A file that we were about to write.

    Attributes:
        path: Its path relative to the bucket.
        written: The signatures of all that we may have left in its sidecar.
        claimed: Size and time of each file of ours that may have the name from then on.
        restored: Whether it is written because the user edited or deleted it.
        shows: The subject of what has the name until then.
    """

    path: str
    written: tuple[Signature, ...]
    claimed: tuple[Stat | None, ...]
    restored: bool = False
    shows: str = ""

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "Claim":
        """Take a claim from its row."""
        claimed = tuple(map(_stat, row.get("claimed", ())))
        restored = row.get("restored") is True
        shows = str(row.get("shows", ""))
        return cls(row["path"], tuple(row["written"]), claimed, restored, shows)

    def to_row(self) -> dict[str, Any]:
        """The row of a journal."""
        return {
            "path": self.path,
            "written": self.written,
            "claimed": self.claimed,
            "restored": self.restored,
            **({"shows": self.shows} if self.shows else {}),
        }


Row = Entry | Claim
"""What a row of a ledger or journal holds."""


def _stat(value: Any) -> Stat | None:
    if value is None:
        return None
    size, time = value
    return size, time


def is_ours(path: Path, row: Row | None) -> bool:
    """Tell whether a file of a noted name is ours.

    A file whose `Entry` is noted is ours even if the user edited it. If a kill left only
    the `Claim`, the user may have put a file there since. A folder never is ours.

    Args:
        path: The file.
        row: What was last noted of the name, if anything.
    """
    if path.is_dir() and not path.is_symlink():
        return False
    if isinstance(row, Claim):
        now = stat_of(path, follow_links=False)
        return now is not None and now in row.claimed
    return row is not None


def read_entries(path: Path, having: bytes = b"") -> Iterator[Row]:
    """Yield what `read_rows` gives as entries and claims; invalid ones are skipped."""
    for row in read_rows(path, having):
        try:
            entry = Entry.of_row(row) if "stat" in row else Claim.of_row(row)
        except (ValueError, TypeError):
            continue
        yield entry


def read_rows(path: Path, having: bytes = b"") -> Iterator[dict[str, Any]]:
    """Yield the rows of a ledger or journal as they are on disk.

    A line that a kill cut short is skipped, and so are invalid rows.

    Args:
        path: The file.
        having: What a line must hold, as it is on disk.
    """
    # Of a strange or endless file as much counts as has lines.
    with suppress(FileNotFoundError, NotADirectoryError, NotRegular, EndlessLine):
        for line in itertools.chain.from_iterable(pieces_of(path)):
            if having not in line:
                continue
            try:
                row = row_json.loads(line)
            except (ValueError, RecursionError):
                continue
            if _is_row(row):
                yield row


def _is_row(value: object) -> bool:
    return (
        isinstance(value, dict)
        and is_relative(value.get("path"))
        and isinstance(value.get("written"), list)
        and all(isinstance(signature, dict) for signature in value["written"])
    )
