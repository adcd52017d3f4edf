"""Part: the files of one part of a bucket being written, each noted before and after."""

import filecmp
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.entries import Claim, Entry, Row, Signature, is_ours, stat_of
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.stems import folded
from dtst_flow.utils.files import temporary, to_json

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


class Part:
    """One part of a bucket, being written.

    Several processes may write one part at once, each with a Part of its own.

    Args:
        ledgers: The ledgers of the bucket.
        name: The part's name.
    """

    def __init__(self, ledgers: Ledgers, name: str) -> None:
        self.ledgers = ledgers
        self.journal = ledgers.journals / f"{name}.jsonl"
        self.known = ledgers.rows(name)
        self._owned: dict[str, Row] | None = None
        self._twins: dict[str, str] = {}

    def write(
        self,
        path: str,
        key: str,
        make: Callable[[], bytes],
        sidecar: Sidecar = None,
        reserved: bool = False,
    ) -> tuple[Entry, bool]:
        """Bring a file and its sidecar to what `key` stands for.

        Args:
            path: The file, relative to the bucket.
            key: Names all that its content is made from.
            make: Gives the content; called only if the file is not yet as it should be.
            sidecar: Our keys of its sidecar, or what gives them, called as `make` is; with
                None the sidecar is left alone.
            reserved: Whether the name is ours in every bucket, whoever wrote the file.

        Returns:
            The file's entry, and whether the file had to be written.

        Raises:
            ForeignFile: A file of the user's is in the way.
            BrokenSidecar: The sidecar is no JSON object.
        """
        return self.write_with(
            path, key, lambda new: new.write_bytes(make()), sidecar, reserved
        )

    def write_with(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: Sidecar = None,
        reserved: bool = False,
    ) -> tuple[Entry, bool]:
        """Do as `write` for a file that is more than its content, such as a link.

        Args:
            path: The file, relative to the bucket.
            key: Names all that it is made from.
            fill: Makes the file under the name it is given, in the same folder; called
                only if the file is not yet as it should be.
            sidecar: Our keys of its sidecar, or what gives them, called as `fill` is; with
                None the sidecar is left alone.
            reserved: Whether the name is ours in every bucket, whoever wrote the file.

        Returns:
            The file's entry, and whether the file had to be written.

        Raises:
            ForeignFile: A file of the user's is in the way.
            BrokenSidecar: The sidecar is no JSON object.
        """
        target = self.ledgers.bucket / path
        if self.ledgers.leads_out(path):
            raise ForeignFile(target.parent, "leads out of its bucket by a link")
        row = self._last_row(path, target)
        if self.ledgers.is_current(row, key):
            if path not in self.known:
                self._note(row)  # so far only the ledger of another part has it
            return row, False
        self._refuse_foreign(target, row, fill, reserved)
        before = row.written if row else ()
        ours = sidecar() if callable(sidecar) else sidecar
        return self._write(path, key, fill, ours, before), True

    def _write(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: dict[str, Any] | None,
        before: tuple[Signature, ...],
    ) -> Entry:
        """Write file and sidecar, whose signatures until now are `before`."""
        target = self.ledgers.bucket / path
        written = before if sidecar is None else (sidecars.signature(sidecar),)
        present = stat_of(target, follow_links=False)
        claim = Claim(path, before + written, (present,))
        self._note(claim)
        with temporary(target) as new:
            fill(new)
            claimed = (present, stat_of(new, follow_links=False))
            self._note(replace(claim, claimed=claimed))
            if sidecar is not None:
                content = sidecars.read(target)
                merged = sidecars.merge(content, sidecar, *before)
                if merged == sidecar:
                    sidecars.write(target, merged, durable=bool(content))
                else:
                    sidecars.edit(target, merged)
            # Not written into: what has the name may be a link to the user's file.
            os.replace(new, target)
        entry = Entry(
            path,
            key,
            stat_of(target, follow_links=False),
            written,
            stat_of(sidecars.path_of(target)),
        )
        self._note(entry)
        return entry

    def _last_row(self, path: str, target: Path) -> Row | None:
        """What was last noted of a path, by whichever part; None of a new one."""
        if path in self.known or not any(
            map(os.path.lexists, (target, sidecars.path_of(target)))
        ):
            return self.known.get(path)
        if self._owned is None:
            self._owned = self.ledgers.owned()
            self._twins = {folded(other): other for other in self._owned}
        row = self._owned.get(path)
        twin = self._twins.get(folded(path))
        if row is None and twin is not None and self.ledgers.is_one(path, twin):
            row = replace(self._owned[twin], path=path)
        return row

    def _refuse_foreign(
        self,
        target: Path,
        row: Row | None,
        fill: Callable[[Path], object],
        reserved: bool,
    ) -> None:
        """Raise ForeignFile if a file or folder of the user's is in the way."""
        for parent in target.relative_to(self.ledgers.bucket).parents:
            folder = self.ledgers.bucket / parent
            if os.path.lexists(folder) and not folder.is_dir():
                raise ForeignFile(folder)
        if not os.path.lexists(target) or is_ours(target, row):
            return
        # Provenance or content tell what is ours from before the ledger was lost.
        if target.is_dir() or not (
            reserved
            or "provenance" in sidecars.read(target)
            or (target.is_file() and _has_content(target, fill))
        ):
            raise ForeignFile(target)

    def _note(self, row: Row) -> None:
        self.known[row.path] = row
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with open(self.journal, "ab") as journal:
            # The line break comes first: it also ends a line that a kill cut short.
            journal.write(b"\n" + to_json(row.to_row()))


def _has_content(path: Path, fill: Callable[[Path], object]) -> bool:
    with temporary(path) as new:
        fill(new)
        return filecmp.cmp(path, new, shallow=False)
