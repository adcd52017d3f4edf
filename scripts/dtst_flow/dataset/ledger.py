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
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
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
from dtst_flow.utils.again import Again
from dtst_flow.utils.files import read_bytes, sweep, write_atomic
from dtst_flow.utils.tables import to_table


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
        tables = self.table_of(part), self.journal_of(part)
        return {row.path: row for path in tables for row in read_entries(path)}

    def entries(self, part: str) -> Iterator[Entry]:
        """Yield what the ledger of a part holds."""
        rows = read_entries(self.table_of(part))
        return (row for row in rows if isinstance(row, Entry))

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

    def _all_rows(self) -> Iterator[Row]:
        """Yield what is noted in all parts; of one file, what was noted last comes last."""
        for table in self._tables():
            yield from read_entries(table)

    def _tables(self) -> Iterator[Path]:
        """Yield the ledgers of all parts, then the journals."""
        for folder in (self.settled, self.journals):
            yield from sorted(folder.glob("*.jsonl"))

    def table_of(self, part: str) -> Path:
        """The ledger of a part."""
        return self.settled / f"{part}.jsonl"

    def journal_of(self, part: str) -> Path:
        """The journal of a part, which is there from its first file until the commit."""
        return self.journals / f"{part}.jsonl"

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

    def commit(
        self, parts: Mapping[str, Iterable[Entry]], same: Collection[str] = ()
    ) -> list[str]:
        """Make the entries of `parts` all there is: remove our other files, note these.

        Keys that the user added to the sidecars of others go to the files that show the
        same by now, or wait for one. What is held in memory are paths, and one part.

        Args:
            parts: The entries of each part, by its name; they are gone through repeatedly.
            same: Other parts, whose entries are those of their ledgers.

        Returns:
            The paths removed, sorted.
        """
        wanted = {entry.path: name for name, part in parts.items() for entry in part}
        stale, elsewhere = self._told_apart(wanted, same)
        sweep(self.bucket, below=True)
        for path, row in stale.items():
            if not self.leads_out(path):
                self._remove(self.bucket / path, row)
        settled = {name: Again(partial(self.entries, name)) for name in same}
        every = {**parts, **settled}
        homes = waiting.homes(self.bucket, every)
        for name in (*parts, *(homes.keys() & settled.keys())):
            entries = self._brought_up_to_date(every[name], name, elsewhere[name])
            brought = waiting.brought(self.bucket, entries, homes.get(name, {}))
            self._note(name, brought)
        if homes:
            waiting.tidy(self.bucket)
        for name in set(self.parts()) - every.keys():
            self.table_of(name).unlink()
        for journal in self.journals.glob("*.jsonl"):
            journal.unlink()
        return sorted(stale)

    def _told_apart(
        self, wanted: Mapping[str, str], same: Collection[str]
    ) -> tuple[dict[str, Row], defaultdict[str, list[Row]]]:
        """Find the files of ours that are not wanted, and what is noted at other parts.

        Args:
            wanted: Path -> its part.
            same: Other parts, whose ledgers are as they are to be.

        Returns:
            What is noted of each file that is not wanted, by path; and of those wanted
            what only the tables of other parts have, by their part.
        """
        stale: dict[str, Row] = {}
        elsewhere: defaultdict[str, list[Row]] = defaultdict(list)
        settled = {self.table_of(name) for name in same}
        tables = (table for table in self._tables() if table not in settled)
        noted = ((table.stem, row) for table in tables for row in read_entries(table))
        found = (("", one.row) for one in self.found(but=wanted))
        for part, row in itertools.chain(found, noted):
            if row.path not in wanted:
                stale[row.path] = row
            elif wanted[row.path] != part:
                elsewhere[wanted[row.path]].append(row)
        if stale:
            kept = [row["path"] for table in settled for row in read_rows(table)]
            for path in kept:
                stale.pop(path, None)
            for path in self._renamed(stale.keys(), [*wanted, *kept]):
                del stale[path]
        return stale, elsewhere

    def _brought_up_to_date(
        self, part: Iterable[Entry], name: str, more: Iterable[Row]
    ) -> list[Entry]:
        """Return the entries of a part as the files are now, as far as that is noted."""
        entries = {entry.path: entry for entry in part}
        tables = map(read_entries, (self.table_of(name), self.journal_of(name)))
        newer = {
            row.path: row
            for row in itertools.chain(*tables, more)
            if row.path in entries and self._is_newer(row, entries[row.path])
        }
        return [newer.get(path, entry) for path, entry in entries.items()]

    def _note(self, name: str, entries: Iterable[Entry]) -> None:
        """Write the ledger of a part, unless it says the same."""
        table, content = self.table_of(name), to_table(e.to_row() for e in entries)
        with suppress(OSError):
            if read_bytes(table) == content:
                return
        write_atomic(table, content, durable=True)

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
