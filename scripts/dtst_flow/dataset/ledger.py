"""Ledger: which files of a bucket the workflow wrote, so that it touches no others.

A bucket's results are written in *parts* (a part is a shard, or the whole bucket). A part
notes each file in a journal before and after writing it; when all parts are done,
`Ledgers.commit` removes what is no longer wanted and turns the journals into ledgers.

Ledgers may come with a dataset from anywhere. Rows whose path leads out of the bucket are
skipped, and nothing is written or removed where links lead out of it. Where the ledgers
are lost, the files themselves say which are ours (`evidence`).
"""

import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

from dtst_flow.dataset import sidecars, waiting
from dtst_flow.dataset.containment import escapes
from dtst_flow.dataset.entries import (
    Claim,
    Entry,
    Row,
    is_ours,
    read_entries,
    read_rows,
    stat_of,
    unchanged,
)
from dtst_flow.dataset.evidence import Evidence, Found
from dtst_flow.dataset.stems import folded
from dtst_flow.utils.files import read_bytes, sweep
from dtst_flow.utils.tables import to_table, write_table


class Ledgers:
    """The ledgers of one bucket.

    Args:
        bucket: The folder with the results.
        state: The folder with the ledgers and journals.
        evidence: What the files say of whose they are; nothing if None.
    """

    def __init__(
        self, bucket: str | Path, state: str | Path, evidence: Evidence | None = None
    ) -> None:
        self.bucket = Path(bucket)
        self._start = os.path.join(bucket, "")
        self.settled = Path(state) / "ledger"
        self.journals = Path(state) / "journal"
        self.evidence = evidence

    def is_lost(self) -> bool:
        """Tell whether there is no ledger: it is lost, or no run came to its end."""
        return not self.settled.is_dir()

    def found(self, but: Collection[str] = ()) -> Iterator[Found]:
        """Yield the files that are ours by what they say, where the ledger is lost.

        Args:
            but: Paths that are not looked at.
        """
        if self.evidence and self.is_lost():
            yield from self.evidence.found(but)

    def parts(self) -> list[str]:
        """Names of the parts that have a ledger."""
        return sorted(path.stem for path in self.settled.glob("*.jsonl"))

    def rows(self, part: str) -> dict[str, Row]:
        """What was last noted of each file of a part, by path."""
        tables = (folder / f"{part}.jsonl" for folder in (self.settled, self.journals))
        return {row.path: row for path in tables for row in read_entries(path)}

    def owned(self) -> dict[str, Row]:
        """What was last noted of all files that we wrote or began to write, by path."""
        return {row.path: row for row in self._all_rows()}

    def noted(self, paths: Collection[str]) -> dict[str, Row]:
        """What was last noted of some paths, as far as we wrote them."""
        return {row.path: row for row in self._all_rows() if row.path in paths}

    def size(self) -> int:
        """Sum up the bytes of all files that we wrote, with their sidecars."""
        rows = self.owned().values()
        return sum(row.size for row in rows if isinstance(row, Entry))

    def paths(self) -> set[str]:
        """The paths of `owned`; of a million files, the rows would take a gigabyte."""
        return {row["path"] for table in self._tables() for row in read_rows(table)}

    def _all_rows(self, but: Collection[str] = ()) -> Iterator[Row]:
        """Yield what is noted in all parts; of one file, what was noted last comes last.

        Args:
            but: Parts whose ledgers are left out; their journals are not.
        """
        for table in self._tables():
            if table.stem not in but or table.parent != self.settled:
                yield from read_entries(table)

    def _tables(self) -> Iterator[Path]:
        """Yield the ledgers of all parts, then the journals."""
        for folder in (self.settled, self.journals):
            yield from sorted(folder.glob("*.jsonl"))

    def _says(self, name: str, part: Iterable[Entry]) -> bool:
        """Tell whether a part's ledger holds just these entries."""
        try:
            noted = read_bytes(self.settled / f"{name}.jsonl")
        except OSError:
            return False
        return noted == to_table(entry.to_row() for entry in part)

    def intact(self, row: Row) -> bool:
        """Tell whether file and sidecar are still as noted; those of a claim are absent."""
        path = f"{self._start}{row.path}"
        stat, sidecar = None, None
        if isinstance(row, Entry):
            stat, sidecar = row.stat, row.sidecar
        return unchanged(stat_of(path, follow_links=False), stat) and unchanged(
            stat_of(sidecars.name_of(path)), sidecar
        )

    def restored(self) -> list[str]:
        """List what was put back since the last commit, as the user had changed it."""
        return sorted({claim.path for claim in self._restored()})

    def put_back(self) -> set[str]:
        """Those of them that the user had deleted."""
        return {claim.path for claim in self._restored() if claim.claimed[0] is None}

    def _restored(self) -> Iterator[Claim]:
        """Yield the claims of what was put back since the last commit."""
        for path in self.journals.glob("*.jsonl"):
            for row in read_entries(path, having=b'"restored":true'):
                if isinstance(row, Claim) and row.restored and row.claimed:
                    yield row

    def is_current(self, row: Row | None, key: str) -> TypeGuard[Entry]:
        """Tell whether a file was written for `key` and is intact."""
        return isinstance(row, Entry) and row.key == key and self.intact(row)

    def damaged_parts(self) -> list[str]:
        """Parts of which a file was edited or deleted, or that were never committed."""
        unsettled = {path.stem for path in self.journals.glob("*.jsonl")}
        edited = {
            part
            for part in set(self.parts()) - unsettled
            if not all(map(self.intact, self.rows(part).values()))
        }
        return sorted(unsettled | edited)

    def commit(self, parts: Mapping[str, list[Entry]]) -> list[str]:
        """Make the entries of `parts` all there is: remove our other files, note these.

        Keys that the user added to the sidecars of others go to the files that show the
        same by now, or wait for one.

        Args:
            parts: The entries of each part, by its name; brought up to date in place.

        Returns:
            The paths removed, sorted.
        """
        wanted = {entry.path: entry for part in parts.values() for entry in part}
        # Most parts are as they were, and their ledgers need not be taken apart.
        same = {name: [*part] for name, part in parts.items() if self._says(name, part)}
        found = (one.row for one in self.found(but=wanted))
        every = itertools.chain(found, self._all_rows(but=same))
        stale: dict[str, Row] = {}
        newer: dict[str, Entry] = {}
        for row in every:
            if row.path not in wanted:
                stale[row.path] = row
            elif self._is_newer(row, wanted[row.path]):
                newer[row.path] = row
        for part in parts.values() if newer else ():
            part[:] = [newer.get(entry.path, entry) for entry in part]
        for path in self._renamed(stale.keys(), wanted.keys()):
            del stale[path]
        sweep(self.bucket, below=True)
        for path, row in stale.items():
            if not self.leads_out(path):
                self._remove(self.bucket / path, row)
        waiting.bring_back(self.bucket, parts)
        for name, part in parts.items():
            if part != same.get(name):
                rows = (entry.to_row() for entry in part)
                write_table(self.settled / f"{name}.jsonl", rows)
        for name in set(self.parts()) - set(parts):
            (self.settled / f"{name}.jsonl").unlink()
        for journal in self.journals.glob("*.jsonl"):
            journal.unlink()
        return sorted(stale)

    def _is_newer(self, row: Row, entry: Entry) -> TypeGuard[Entry]:
        """Tell whether a row, and not an entry, is of a file as it is now.

        The tables of jobs do not tell of keys that were brought to a sidecar since.
        """
        return (
            row != entry and self.is_current(row, entry.key) and not self.intact(entry)
        )

    def _renamed(self, stale: Iterable[str], wanted: Collection[str]) -> list[str]:
        """Those of the stale files that by now are wanted ones of other case."""
        alike = {path: folded(path) for path in stale}
        names = set(alike.values())
        twins = {name: path for path in wanted if (name := folded(path)) in names}
        return [
            path
            for path, name in alike.items()
            if name in twins and self.is_one(path, twins[name])
        ]

    def is_one(self, path: str, twin: str) -> bool:
        """Tell whether two paths, alike but for case, are one file.

        So they are where the file system makes no difference. Inodes do not tell: those
        of hard links are equal, and some file systems make them up.
        """
        one, other = self.bucket / path, self.bucket / twin
        if one.parent != other.parent or not all(map(os.path.lexists, (one, other))):
            return False
        return not {one.name, other.name} <= set(os.listdir(one.parent))

    def leads_out(self, path: str) -> bool:
        """Tell whether links take the folder of one of the bucket's paths out of it."""
        return escapes(self.bucket, os.path.dirname(path))

    def _remove(self, path: Path, row: Row) -> None:
        if is_ours(path, row):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
        try:
            present = sidecars.read(path)
            rest = sidecars.merge(present, {}, *row.written)
            shows = waiting.subject_of(row, present)
            if rest and shows and not os.path.lexists(path):
                was = path.relative_to(self.bucket).as_posix()
                rest = {} if waiting.put(self.bucket, was, shows, rest) else rest
            sidecars.edit(path, rest)
        except sidecars.BrokenSidecar:
            return  # the user's edit; not ours to delete
        folder = path.parent
        while folder != self.bucket and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
