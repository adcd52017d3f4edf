"""What detection left in the sidecars of a dataset, and taking it out again.

A table of detections has a row for every image that was looked at, with the stat of its
sidecar: another one shows that the user edited it since.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dtst_flow.annotations.ownership import Ownership
from dtst_flow.annotations.visited import Visited
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import escapes, is_relative
from dtst_flow.dataset.entries import Stat, stat_of, unchanged
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.state import STATE, state_of
from dtst_flow.utils.files import sweep
from dtst_flow.utils.tables import read_table

log = logging.getLogger(__name__)

Row = dict[str, Any]
"""A row of a table of detections, or of its failures."""


def ownership() -> Ownership:
    """Return what detection wrote into the sidecars of this dataset."""
    return Ownership(STATE / "detected", visited())


def visited() -> Visited:
    """Return the images of this dataset that detection has looked at until now."""
    return Visited(state_of(".detect"))


def sidecar_stat(path: str) -> Stat | None:
    """Return size and time of an image's sidecar, None without one."""
    return stat_of(sidecars.path_of(path))


def result(row: ManifestRow, computed: bool = False, **values: Any) -> Row:
    """Return the row of an image, with what of `values` differs from nothing."""
    empty: Row = {"found": {}, "users": [], "cleared": []}
    sidecar = sidecar_stat(row.path)
    known: Row = {"path": row.path, "digest": row.digest, "sidecar": sidecar}
    return {**known, **empty, **values, "computed": computed}


def named(classes: list[str] | None) -> Callable[[str], bool]:
    """Return whether a class is among some; None for all."""
    return lambda name: classes is None or name in classes


class Clearer:
    """Takes what detection wrote out of one sidecar after another."""

    def __init__(self, classes: list[str] | None):
        self.wanted = named(classes)
        self.written = ownership()

    def __call__(self, row: ManifestRow, /) -> Row:
        """Clear the sidecar of one image; returns its row of the table."""
        cleared = self.written.clear(row.path, self.wanted, row.digest)
        return result(row, cleared=cleared)

    def close(self) -> None:
        """There is nothing to free."""


def withdraw(ours: Ownership, row: Row, before: Stat | None) -> Stat | None:
    """Take out what was found in a file that was another image, and can no longer be read.

    Args:
        ours: What detection wrote.
        row: That of the failure.
        before: The stat of the sidecar before the job.

    Returns:
        The stat that it has by our doing; another one shows that the user mended it since.
    """
    path = row["path"]
    if sidecar_stat(path) == before:
        with suppress(sidecars.BrokenSidecar):
            ours.put(path, row["digest"], {})
        return sidecar_stat(path)
    return before


def damaged_shards(bucket: str) -> list[str]:
    """The shards of which a sidecar was edited or deleted since."""
    state = state_of(bucket)
    tables = [*state.glob("detections/*.jsonl"), *state.glob("failed/*.jsonl")]
    return sorted({table.stem for table in tables if _is_damaged(table)})


def known_sidecars(bucket: str) -> dict[str, Stat | None]:
    """The stat of the sidecars that the last run wrote into, or found all there.

    Tables that nobody can read are skipped.
    """
    known: dict[str, Stat | None] = {}
    for table in state_of(bucket).glob("detections/*.jsonl"):
        with suppress(LookupError, TypeError, ValueError):
            known |= {row["path"]: row["sidecar"] for row in read_table(table)}
    return known


def _is_damaged(table: Path) -> bool:
    """Whether a sidecar is not as a table has it, or a failure may have lost its cause.

    A table that is not as we write it is damaged as well.
    """
    try:
        return any(
            row.get("cause", "") is None
            or not unchanged(sidecar_stat(row["path"]), row["sidecar"])
            for row in read_table(table)
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return True


def clear_gone(now: dict[str, str]) -> None:
    """Clear the sidecars of images that are gone.

    Unfinished sidecars that a kill left beside the images go as well.

    Args:
        now: The digest of each image that this run looked at, by its path.
    """
    before, ours = visited(), ownership()
    known = {
        row["path"]: row["digest"] for row in before.rows() if is_relative(row["path"])
    } | now
    for folder in {Path(path).parent for path in known}:
        if not escapes(".", str(folder)):
            sweep(folder)
    # Of another source, or since one of other content: no business of this run.
    elsewhere = known.keys() - now.keys()
    for path in [path for path in elsewhere if not Path(path).is_file()]:
        if not os.path.exists(sidecars.name_of(path)):
            continue  # moved along with its photo, perhaps to where this run did not look
        try:
            ours.clear(path, lambda name: True)
        except sidecars.BrokenSidecar as error:
            log.warning("%s", error)
        del known[path]
    before.commit(sorted(known.items()))
