"""Ledger: which files of a bucket the workflow wrote, so that it touches no other.

A bucket's results are written in *parts* (a part is a shard, or the whole of it).
A part notes each file in a journal before and after writing it; when all parts are
done, `commit` removes what is no longer wanted and turns the journals into ledgers.

A row of a ledger is {path, key, stat, written, sidecar}: path relative to the bucket,
key naming all that the content was made from, [size, mtime in ns] of the file, the
`sidecars.signature` of all that we may have left beside it, stat of the sidecar or
None. The row noted before writing has {path, written, claimed}: the stats of all files of
ours that may bear the name from then on. Of a symbolic link the stat is its own: that of
the file it leads to is not ours to keep.

Ledgers may come along with a dataset from anywhere. Rows whose path leads out of the
bucket are passed over, and nothing is written or removed where links lead out of it.
"""

import filecmp
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import escapes, is_relative
from dtst_flow.utils.files import sweep, temporary, to_json, write_table


class ForeignFile(Exception):
    """A file of the user's that stands where one of ours should go.

    file  its path
    """

    def __init__(
        self, file: Path, fault: str = "is there already and was not written by dtst"
    ):
        super().__init__(f"{str(file)!r} {fault}; move it away or choose another --to")
        self.file = file


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


GRAINS = (1, 100, 1_000, 1_000_000, 1_000_000_000)
"""Nanoseconds that file systems and archives keep times to."""


def unchanged(found: list[int] | None, noted: list[int] | None) -> bool:
    """Whether what `stat_of` finds is what it found before.

    A time may be cut short by now, in a dataset that came in an archive or from another
    file system: then the file is none the less as it was.
    """
    if found is None or noted is None:
        return found == noted
    size, time = noted
    return found[0] == size and any(found[1] == time - time % g for g in GRAINS)


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
            for row in _rows(folder / f"{part}.jsonl"):
                rows[row["path"]] = row
        return rows

    def owned(self) -> dict[str, dict]:
        """All files we wrote or began to write: path -> the last that was noted of it."""
        return {row["path"]: row for row in self._noted()}

    def paths(self) -> set[str]:
        """The paths of `owned`; of a million files, the rows would take a gigabyte."""
        return {row["path"] for row in self._noted()}

    def _noted(self) -> Iterator[dict]:
        """All rows of all parts, of a file the last noted last."""
        for folder in (self.settled, self.journals):
            for part in sorted(folder.glob("*.jsonl")):
                yield from _rows(part)

    def intact(self, row: dict) -> bool:
        """Whether file and sidecar are still as the row has them."""
        path = os.path.join(self.bucket, row["path"])
        return unchanged(
            stat_of(path, follow_links=False), row.get("stat")
        ) and unchanged(stat_of(sidecars.name_of(path)), row.get("sidecar"))

    def damaged_parts(self) -> list[str]:
        """Parts of which a file was edited or deleted, or that were never settled."""
        unsettled = {path.stem for path in self.journals.glob("*.jsonl")}
        edited = {
            part
            for part in set(self.parts()) - unsettled
            if not all(map(self.intact, self.rows(part).values()))
        }
        return sorted(unsettled | edited)

    def commit(self, parts: dict[str, list[dict]]) -> list[str]:
        """Make the rows of `parts` all there is: remove our other files, note the rest.

        Returns the paths removed, sorted.
        """
        wanted = {row["path"] for rows in parts.values() for row in rows}
        stale = {r["path"]: r for r in self._noted() if r["path"] not in wanted}
        sweep(self.bucket, below=True)
        for path, row in stale.items():
            if not self.leads_out(path):
                self._remove(self.bucket / path, row)
        for part, rows in parts.items():
            write_table(self.settled / f"{part}.jsonl", rows)
        for part in set(self.parts()) - set(parts):
            (self.settled / f"{part}.jsonl").unlink()
        for journal in self.journals.glob("*.jsonl"):
            journal.unlink()
        return sorted(stale)

    def leads_out(self, path: str) -> bool:
        """Whether links take the folder of one of the bucket's paths out of it."""
        return escapes(self.bucket, os.path.dirname(path))

    def _remove(self, path: Path, row: dict) -> None:
        if _is_ours(path, row):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
        try:
            rest = sidecars.merge(sidecars.read(path), {}, *row["written"])
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

    def write(
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
        return self.write_with(
            path, key, lambda new: new.write_bytes(make()), sidecar, reserved
        )

    def write_with(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: dict | None = None,
        reserved: bool = False,
    ) -> tuple[dict, bool]:
        """`write` for a file that is more than its content, such as a link.

        fill  makes the file under the name given, beside its place; called only when it
              is not there already
        """
        target = self.ledgers.bucket / path
        if self.ledgers.leads_out(path):
            raise ForeignFile(target.parent, "leads out of its bucket by a link")
        row = self._row(path, target)
        if row.get("key") == key and self.ledgers.intact(row):
            if path not in self.known:
                self._note(row)  # so far only the ledger of another part has it
            return row, False
        self._refuse_foreign(target, row, fill, reserved)
        before = row.get("written", [])
        written = before if sidecar is None else [sidecars.signature(sidecar)]
        claim = {"path": path, "written": before + written}
        claim["claimed"] = [stat_of(target, follow_links=False)]
        self._note(claim)
        with temporary(target) as new:
            fill(new)
            claimed = [*claim["claimed"], stat_of(new, follow_links=False)]
            self._note(claim | {"claimed": claimed})
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

    def _row(self, path: str, target: Path) -> dict:
        """What was last noted of a path, by whichever part; {} of a new one."""
        if path in self.known or not any(
            map(os.path.lexists, (target, sidecars.path_of(target)))
        ):
            return self.known.get(path, {})
        if self._owned is None:
            self._owned = self.ledgers.owned()
        return self._owned.get(path, {})

    def _refuse_foreign(
        self, target: Path, row: dict, fill: Callable[[Path], object], reserved: bool
    ) -> None:
        """Raise ForeignFile if a file or folder of the user's is in the way."""
        for folder in target.relative_to(self.ledgers.bucket).parents:
            there = self.ledgers.bucket / folder
            if os.path.lexists(there) and not there.is_dir():
                raise ForeignFile(there)
        if not os.path.lexists(target) or _is_ours(target, row):
            return
        # Provenance or content tell what is ours from before the ledger was lost.
        if target.is_dir() or not (
            reserved
            or "provenance" in sidecars.read(target)
            or (target.is_file() and _has_content(target, fill))
        ):
            raise ForeignFile(target)

    def _note(self, row: dict) -> None:
        self.known[row["path"]] = row
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with open(self.journal, "ab") as journal:
            # The line break comes first: it also ends a line that a kill cut short.
            journal.write(b"\n" + to_json(row))


def _is_ours(path: Path, row: dict) -> bool:
    """Whether the file that bears the name of a row is ours.

    One that is noted as written is, also when the user edited it; where a kill left but
    the claim, it might be one that the user put there since. Folders never are.
    """
    if path.is_dir() and not path.is_symlink():
        return False
    found = stat_of(path, follow_links=False)
    return "stat" in row or (found is not None and found in row.get("claimed", ()))


def _has_content(path: Path, fill: Callable[[Path], object]) -> bool:
    with temporary(path) as new:
        fill(new)
        return filecmp.cmp(path, new, shallow=False)


def _rows(path: Path) -> Iterator[dict]:
    """Rows of a ledger or journal, as far as they are any.

    Passed over are a line that a kill cut short, and what never was ours.
    """
    if not path.exists():
        return
    with open(path, "rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if _is_row(row):
                yield row


def _is_row(row: object) -> bool:
    return (
        isinstance(row, dict)
        and is_relative(row.get("path"))
        and isinstance(row.get("written"), list)
        and all(isinstance(signature, dict) for signature in row["written"])
    )
