"""Ledger: which files of a bucket the workflow wrote, so that it touches no other.

A bucket's results are written in *parts* (a part is a shard, or the whole of it).
A part notes each file in a journal before and after writing it; when all parts are
done, `settle` removes what is no longer wanted and turns the journals into ledgers.

A row of a ledger is {path, key, stat, written, sidecar}: path relative to the bucket,
key naming all that the content was made from, [size, mtime in ns] of the file, the
`sidecars.signature` of all that we may have left beside it, stat of the sidecar or
None. The row noted before writing has path and written only. Of a symbolic link the
stat is its own: that of the file it leads to is not ours to keep.
"""

import filecmp
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from dtst_flow import sidecars
from dtst_flow.files import (
    sweep,
    temporary,
    to_json,
    write_table,
)


class ForeignFile(Exception):
    """A file of the user's that stands where one of ours should go."""


def stat_of(path: str | Path, follow_links: bool = True) -> list[int] | None:
    """[size in bytes, mtime in ns] of a file, None when there is none.

    follow_links  take a symbolic link for the file it leads to; else for itself, as
                  long as it leads to any
    """
    try:
        found = os.stat(path, follow_symlinks=follow_links)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode) and not os.path.exists(path):
        return None
    return [found.st_size, found.st_mtime_ns]


class Ledgers:
    """The ledgers of one bucket.

    bucket  the folder with the results
    state   the folder with the ledgers and journals
    """

    def __init__(self, bucket: str | Path, state: str | Path):
        self.bucket = Path(bucket)
        self.settled = Path(state) / "ledger"
        self.journals = Path(state) / "journal"

    def parts(self) -> list[str]:
        """Names of the parts that have a ledger."""
        return sorted(path.stem for path in self.settled.glob("*.jsonl"))

    def rows(self, part: str) -> dict[str, dict]:
        """The last that was noted of each file of a part: path -> row."""
        rows: dict[str, dict] = {}
        for folder in (self.settled, self.journals):
            for row in _whole_lines(folder / f"{part}.jsonl"):
                rows[row["path"]] = row
        return rows

    def owned(self) -> dict[str, dict]:
        """All files we wrote or began to write: path -> the last that was noted of it."""
        rows: dict[str, dict] = {}
        for folder in (self.settled, self.journals):
            for part in sorted(folder.glob("*.jsonl")):
                rows |= {row["path"]: row for row in _whole_lines(part)}
        return rows

    def intact(self, row: dict) -> bool:
        """Whether file and sidecar are still as the row has them."""
        path = self.bucket / row["path"]
        return (
            stat_of(path, follow_links=False) == row["stat"]
            and stat_of(sidecars.path_of(path)) == row["sidecar"]
        )

    def damaged_parts(self) -> list[str]:
        """Parts of which a file was edited or deleted, or that were never settled."""
        unsettled = {path.stem for path in self.journals.glob("*.jsonl")}
        edited = {
            part
            for part in set(self.parts()) - unsettled
            if not all(map(self.intact, self.rows(part).values()))
        }
        return sorted(unsettled | edited)

    def settle(self, parts: dict[str, list[dict]]) -> list[str]:
        """Make the rows of `parts` all there is: remove our other files, note the rest.

        Returns the paths removed, sorted.
        """
        wanted = {row["path"] for rows in parts.values() for row in rows}
        stale = {p: row for p, row in self.owned().items() if p not in wanted}
        sweep(self.bucket, below=True)
        for path, row in stale.items():
            self._remove(self.bucket / path, row["written"])
        for part, rows in parts.items():
            write_table(self.settled / f"{part}.jsonl", rows)
        for part in set(self.parts()) - set(parts):
            (self.settled / f"{part}.jsonl").unlink()
        for journal in self.journals.glob("*.jsonl"):
            journal.unlink()
        return sorted(stale)

    def _remove(self, path: Path, written: list[dict]) -> None:
        path.unlink(missing_ok=True)
        try:
            rest = sidecars.merge(sidecars.read(path), {}, *written)
        except sidecars.BrokenSidecar:
            return  # the user's edit; not ours to delete
        sidecars.write(path, rest)
        folder = path.parent
        while folder != self.bucket and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


class Part:
    """One part of a bucket, being written.

    Safe to use from several processes at once, each with its own copy.
    """

    def __init__(self, ledgers: Ledgers, name: str):
        self.ledgers = ledgers
        self.journal = ledgers.journals / f"{name}.jsonl"
        self.known = ledgers.rows(name)
        self._owned: dict[str, dict] | None = None

    def put(
        self,
        path: str,
        key: str,
        make: Callable[[], bytes],
        sidecar: dict | None = None,
        reserved: bool = False,
    ) -> tuple[dict, bool]:
        """Bring a file and its sidecar to what `key` stands for.

        path      relative to the bucket
        make      gives the content; called only when it is not there already
        sidecar   our keys of its sidecar; None leaves any sidecar alone
        reserved  the name is ours in every bucket, whoever wrote the file

        Returns (ledger row, whether the file had to be written). Raises ForeignFile,
        BrokenSidecar.
        """
        return self.place(
            path, key, lambda new: new.write_bytes(make()), sidecar, reserved
        )

    def place(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: dict | None = None,
        reserved: bool = False,
    ) -> tuple[dict, bool]:
        """`put` for a file that is more than its content, such as a link.

        fill  makes the file under the name given, beside its place; called only when it
              is not there already
        """
        target = self.ledgers.bucket / path
        row = self.known.get(path) or self._claim(path, target, fill, reserved)
        if row.get("key") == key and self.ledgers.intact(row):
            if path not in self.known:
                self._note(row)  # so far only the ledger of another part has it
            return row, False
        before = row.get("written", [])
        written = before if sidecar is None else [sidecars.signature(sidecar)]
        self._note({"path": path, "written": before + written})
        with temporary(target) as new:
            fill(new)
            if sidecar is not None:
                present = sidecars.read(target)
                merged = sidecars.merge(present, sidecar, *before)
                sidecars.write(target, merged, durable=bool(present))
            # Not written into: what bears the name may be a link to the user's file.
            os.replace(new, target)
        row = {
            "path": path,
            "key": key,
            "stat": stat_of(target, follow_links=False),
            "written": written,
            "sidecar": stat_of(sidecars.path_of(target)),
        }
        self._note(row)
        return row, True

    def _claim(
        self, path: str, target: Path, fill: Callable[[Path], object], reserved: bool
    ) -> dict:
        """The row of a path new to this part. Raises ForeignFile if it is the user's."""
        there = os.path.lexists(target)
        if not there and not os.path.lexists(sidecars.path_of(target)):
            return {}
        if self._owned is None:
            self._owned = self.ledgers.owned()
        if path in self._owned:
            return self._owned[path]
        # Provenance or content tell what is ours from before the ledger was lost.
        if (
            not there
            or reserved
            or "provenance" in sidecars.read(target)
            or (target.is_file() and _has_content(target, fill))
        ):
            return {}
        raise ForeignFile(
            f"{str(target)!r} is there already and was not written by dtst; "
            "move it away or choose another --to"
        )

    def _note(self, row: dict) -> None:
        self.known[row["path"]] = row
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with open(self.journal, "ab") as journal:
            # The line break comes first: it also ends a line that a kill cut short.
            journal.write(b"\n" + to_json(row))


def _has_content(path: Path, fill: Callable[[Path], object]) -> bool:
    with temporary(path) as new:
        fill(new)
        return filecmp.cmp(path, new, shallow=False)


def _whole_lines(path: Path) -> Iterator[dict]:
    """Rows of a table or journal; a line that a kill cut short is passed over."""
    if not path.exists():
        return
    with open(path, "rb") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue
