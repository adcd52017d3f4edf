"""Part: the files of one part of a bucket being written, each noted before and after."""

import filecmp
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars, waiting
from dtst_flow.dataset.entries import Claim, Entry, Row, is_ours, stat_of, unchanged
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.provenance import same_photo
from dtst_flow.dataset.stems import folded
from dtst_flow.dataset.subjects import likeness
from dtst_flow.utils import row_json
from dtst_flow.utils.files import append, make_way, temporary

Sidecar = dict[str, Any] | Callable[[], dict[str, Any]] | None
"""Our keys of a sidecar, as `Part.write` takes them."""


class ForeignFile(Exception):
    """A file of the user's where one of ours should go.

    Attributes:
        file: Its path.
    """

    def __init__(
        self, file: Path, fault: str = "is there already and was not written by dtst"
    ) -> None:
        super().__init__(f"{str(file)!r} {fault}; move it away or choose another --to")
        self.file = file


@dataclass(frozen=True)
class _Order:
    """What `Part.write_with` is to write, our keys of the sidecar as they are to be."""

    path: str
    key: str
    fill: Callable[[Path], object]
    sidecar: dict[str, Any] | None
    shows: str


class Part:
    """One part of a bucket, being written.

    Several processes may write one part at once, each with a Part of its own.

    Args:
        ledgers: The ledgers of the bucket.
        name: The part's name.
    """

    def __init__(self, ledgers: Ledgers, name: str) -> None:
        self.ledgers = ledgers
        self.journal = ledgers.journal_of(name)
        make_way(self.journal)
        self.known = ledgers.rows(name)
        self._owned: dict[str, Row] | None = None
        self._twins: dict[str, str] = {}

    def keep(self, path: str, key: str) -> Entry | None:
        """Keep a file that is what `key` stands for; None where it has to be written."""
        row = self._last_row(path, _is_there(self.ledgers.bucket / path))
        if not self.ledgers.is_current(row, key):
            return None
        if path not in self.known:
            self._note(row)  # so far only the ledger of another part has it
        return row

    def write(
        self,
        path: str,
        key: str,
        make: Callable[[], bytes],
        sidecar: Sidecar = None,
        shows: str = "",
    ) -> tuple[Entry, bool]:
        """Bring a file and its sidecar to what `key` stands for.

        Args:
            path: The file, relative to the bucket.
            key: Names all that its content is made from.
            make: Gives the content; called only if the file is not yet as it should be.
            sidecar: Our keys of its sidecar, or what gives them, called as `make` is; with
                None the sidecar is left alone.
            shows: Its subject (`subjects`), to which keys that the user added belong.

        Returns:
            The file's entry, and whether the file had to be written.

        Raises:
            ForeignFile: A file of the user's is in the way.
            BrokenSidecar: The sidecar is no JSON object.
        """

        def fill(new: Path) -> None:
            new.write_bytes(make())

        return self.write_with(path, key, fill, sidecar, shows)

    def write_with(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: Sidecar = None,
        shows: str = "",
    ) -> tuple[Entry, bool]:
        """Do as `write` for a file that is more than its content, such as a link.

        Args:
            path: The file, relative to the bucket.
            key: Names all that it is made from.
            fill: Makes the file under the name it is given, in the same folder; called
                only if the file is not yet as it should be.
            sidecar: Our keys of its sidecar, or what gives them, called as `fill` is; with
                None the sidecar is left alone.
            shows: Its subject (`subjects`), to which keys that the user added belong.

        Returns:
            The file's entry, and whether the file had to be written.

        Raises:
            ForeignFile: A file of the user's is in the way.
            BrokenSidecar: The sidecar is no JSON object.
        """
        target = self.ledgers.bucket / path
        if self.ledgers.leads_out(path):
            raise ForeignFile(target.parent, "leads out of its bucket by a link")
        there = _is_there(target)
        if there and (kept := self.keep(path, key)):
            return kept, False
        row = self._last_row(path, there)
        ours = sidecar() if callable(sidecar) else sidecar
        if row is None and there:
            row = self._by_evidence(path, ours)
        self._refuse_foreign(target, row, fill, ours)
        return self._write(_Order(path, key, fill, ours, shows), row), True

    def _write(self, order: "_Order", row: Row | None) -> Entry:
        """Write file and sidecar, of which `row` was noted last."""
        target, sidecar = self.ledgers.bucket / order.path, order.sidecar
        before = row.written if row else ()
        written = before if sidecar is None else (sidecars.signature(sidecar),)
        present = stat_of(target, follow_links=False)
        edited = isinstance(row, Entry) and not unchanged(present, row.stat)
        shown = row.shows if row else ""
        claim = Claim(order.path, before + written, (present,), edited, shown)
        if row or present or not target.parent.is_dir():
            self._note(claim)  # else nothing is there yet of which to tell
        with temporary(target) as new:
            order.fill(new)
            claimed = (present, stat_of(new, follow_links=False))
            claim = claim._replace(claimed=claimed)
            if sidecar is None:
                self._note(claim)
            else:
                content = sidecars.read(target)
                left = self._without_words(order, row, content, new)
                merged = sidecars.merge(left, sidecar, *before)
                if (
                    isinstance(row, Entry)
                    and row.key == order.key
                    and merged != content
                ):
                    claim = claim._replace(restored=True)
                self._note(claim)
                if merged == sidecar:
                    sidecars.write(target, merged, durable=bool(content))
                else:
                    sidecars.edit(target, merged)
            # Not written into: what has the name may be a link to the user's file.
            os.replace(new, target)
        entry = Entry(
            order.path,
            order.key,
            stat_of(target, follow_links=False),
            written,
            stat_of(sidecars.path_of(target)),
            order.shows,
        )
        self._note(entry)
        return entry

    def _without_words(
        self, order: "_Order", row: Row | None, content: dict[str, Any], new: Path
    ) -> dict[str, Any]:
        """Have the user's keys wait where they were said of what the file shows no more.

        Args:
            order: What is to be written.
            row: What was last noted of the file.
            content: What its sidecar holds now.
            new: The file that takes its place.

        Returns:
            What of the sidecar may stay.
        """
        was = waiting.subject_of(row, content) if row else ""
        if not (row and was and order.shows) or likeness(was, order.shows):
            return content
        words = sidecars.merge(content, {}, *row.written)
        target = self.ledgers.bucket / order.path
        # A link's content may have been changed with that of the photo.
        intact = (
            isinstance(row, Entry)
            and not target.is_symlink()
            and unchanged(stat_of(target), row.stat)
        )
        if not words or (intact and waiting.look_alike(target, new)):
            return content
        kept = waiting.put(self.ledgers.bucket, order.path, was, words)
        return {k: v for k, v in content.items() if not kept or k not in words}

    def _last_row(self, path: str, there: bool) -> Row | None:
        """What was last noted of a path, by whichever part; None of a new one.

        Args:
            path: Relative to the bucket.
            there: Whether anything has its name, or its sidecar's.
        """
        if path in self.known or not there:
            return self.known.get(path)
        if self._owned is None:
            self._owned = self.ledgers.owned()
            self._twins = {folded(other): other for other in self._owned}
        row = self._owned.get(path)
        twin = self._twins.get(folded(path))
        if row is None and twin is not None and self.ledgers.is_one(path, twin):
            row = self._owned[twin]._replace(path=path)
        return row

    def _by_evidence(self, path: str, ours: dict[str, Any] | None) -> Row | None:
        """The row that files give a path of which nothing is noted; None of the user's."""
        evidence = self.ledgers.evidence
        if evidence is None:
            return None
        return evidence.row(path, ours, self.ledgers.is_lost())

    def _refuse_foreign(
        self,
        target: Path,
        row: Row | None,
        fill: Callable[[Path], object],
        ours: dict[str, Any] | None,
    ) -> None:
        """Raise ForeignFile if a file or folder of the user's is in the way."""
        for parent in target.relative_to(self.ledgers.bucket).parents:
            folder = self.ledgers.bucket / parent
            if os.path.lexists(folder) and not folder.is_dir():
                raise ForeignFile(folder)
        if row is None and _has_other_provenance(target, ours):
            raise ForeignFile(
                sidecars.path_of(target), "has a provenance that dtst did not write"
            )
        if not os.path.lexists(target) or is_ours(target, row):
            return
        # Its content, too, tells what is ours from before the ledger was lost.
        if not target.is_file() or not _has_content(target, fill):
            raise ForeignFile(target)

    def claim(self, row: Claim) -> None:
        """Note that a file is ours which was not written here."""
        self._note(row)

    def _note(self, row: Row) -> None:
        self.known[row.path] = row
        # The line break comes first: it also ends a line that a kill cut short.
        append(self.journal, b"\n" + row_json.dumps(row.to_row()))


def _has_content(path: Path, fill: Callable[[Path], object]) -> bool:
    with temporary(path) as new:
        fill(new)
        return filecmp.cmp(path, new, shallow=False)


def _is_there(target: Path) -> bool:
    """Whether anything has the name of a file or of its sidecar."""
    return any(map(os.path.lexists, (target, sidecars.path_of(target))))


def _has_other_provenance(target: Path, ours: dict[str, Any] | None) -> bool:
    """Whether a sidecar has a provenance that ours would take the place of."""
    if not ours or "provenance" not in ours:
        return False
    said = sidecars.read(target).get("provenance", ours["provenance"])
    return said != ours["provenance"] and not same_photo(said, ours)
