"""State that is not as dtst writes it, found before anybody relies on it.

It may be damaged, or a stranger's. Making it again is all that it takes, as results are
known by their records; nothing here writes.
"""

import glob
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from dtst_flow.dataset import digests, given_names, inventory
from dtst_flow.dataset.evidence import Given
from dtst_flow.detect.vocabulary import Vocabulary
from dtst_flow.planning.plan import Plan
from dtst_flow.stages.contract import Stage
from dtst_flow.utils.files import read_json
from dtst_flow.utils.tables import BrokenTable, count_rows, is_table, read_table

AHEAD = 5
"""Seconds that the clocks of machines which share a file system may differ by."""


def all_shards(plan: Plan, stage: Stage) -> list[str]:
    """Return the shards of a stage whose images are listed."""
    folder = plan.inventory(stage.name)
    return inventory.shards(folder) if os.path.isdir(folder) else []


def is_dated_ahead(plan: Plan, stage: Stage) -> bool:
    """Tell whether what a stage made is dated ahead of the clock.

    Such as what came in an archive from another time zone. Snakemake would take it for
    newer than all that is to come.
    """
    name = stage.name
    paths = [plan.summary(name), plan.failures(name), plan.inventory(name)]
    paths += glob.iglob(f"{glob.escape(plan.inventory(name))}/*")
    paths += [f"{plan.inventory(name)}/.snakemake_timestamp"]
    for shard in all_shards(plan, stage):
        tables = plan.table(name, shard), plan.table(name, shard, "npy")
        paths += [*tables, plan.failed(name, shard)]
    return any(map(_is_ahead, paths))


@dataclass(frozen=True)
class Broken:
    """Files of a stage's state that cannot be used.

    Attributes:
        tables: What its jobs left, by shards.
        lists: What it knows of its source.
        sums: What it left at its end.
    """

    tables: dict[str, list[str]]
    lists: list[str]
    sums: list[str]

    @property
    def files(self) -> list[str]:
        """All of them."""
        return [*self.lists, *chain.from_iterable(self.tables.values()), *self.sums]


def broken(plan: Plan, stage: Stage) -> Broken:
    """Look at the state of a stage.

    Where the run before did not sum up, all rows are looked at: it may have met them.
    """
    wholly = not os.path.exists(plan.summary(stage.name))
    tables = {
        shard: list(_of_shard(plan, stage, shard, wholly))
        for shard in all_shards(plan, stage)
    }
    used = {shard: files for shard, files in tables.items() if files}
    return Broken(used, _of_source(plan, stage, wholly), _of_sums(plan, stage))


def _of_shard(plan: Plan, stage: Stage, shard: str, wholly: bool) -> Iterator[str]:
    table, failed = plan.table(stage.name, shard), plan.failed(stage.name, shard)
    array = plan.table(stage.name, shard, "npy")
    manifest = f"{plan.inventory(stage.name)}/{shard}.jsonl"
    if not _may_be(table, "path", wholly=wholly) or _is_short(manifest, table, failed):
        yield table
    if not _may_be(failed, "path", "reason", wholly=wholly):
        yield failed
    if not _is_array(Path(array)):
        yield array
    # Without its ledger nobody would miss what a shard made.
    ledger = plan.state(stage.name) / "ledger" / f"{shard}.jsonl"
    journal = plan.state(stage.name) / "journal" / ledger.name
    settled = stage.makes_crops and os.path.exists(table) and not journal.exists()
    if settled and not _is_ledger(ledger, empty=not _has_crops(table, ledger)):
        yield str(ledger)


def _is_short(manifest: str, table: str, failed: str) -> bool:
    """Tell whether tables tell of fewer images than were listed when they were made."""
    if not all(map(os.path.isfile, (manifest, table, failed))):
        return False  # what is missing is missed by others
    if os.stat(table).st_mtime_ns < os.stat(manifest).st_mtime_ns:
        return False
    return count_rows(table) + count_rows(failed) < count_rows(manifest)


def _has_crops(table: str, ledger: Path) -> bool:
    """Tell whether a table has crops; only asked of one whose ledger is empty."""
    if ledger.exists() and ledger.stat().st_size:
        return True
    with suppress(BrokenTable, LookupError, TypeError):
        return any(row["crops"] for row in read_table(table))
    return False


def _is_ledger(path: Path, empty: bool) -> bool:
    if not path.exists():
        return empty
    return is_table(path, "path", "written") and (empty or path.stat().st_size > 0)


def _of_source(plan: Plan, stage: Stage, wholly: bool) -> list[str]:
    state, folder = plan.state(stage.name), plan.inventory(stage.name)
    table, names = state / digests.FILE, state / given_names.FILE
    listed = bool(all_shards(plan, stage))  # of images there are digests and names
    found = []
    if table.exists() and not _is_filled(table, ("path", "digest"), listed):
        found.append(str(table))
    # Without it, names would be given anew when the next image comes.
    named = stage.evidence and (listed or names.exists())
    if named and not _is_filled(names, Given._fields, listed):
        found.append(str(names))
    if os.path.isdir(folder):
        found += inventory.broken(folder, wholly)
    return found


def _of_sums(plan: Plan, stage: Stage) -> list[str]:
    state, failures = plan.state(stage.name), plan.failures(stage.name)
    looked_at = state / "images.jsonl"
    found = [] if _may_be(failures, "path", "reason") else [failures]
    found += [] if _may_be(looked_at, "path", "digest") else [str(looked_at)]
    summary = plan.summary(stage.name)
    if not os.path.exists(summary):
        return found
    found += [str(path) for path in (state / "history").glob("*.json") if _is_cut(path)]
    ledger = state / "ledger" / "all.jsonl"
    if stage.commit is None and not _is_ledger(ledger, empty=False):
        found.append(str(ledger))
    return found if _is_summary(_json(summary)) else [*found, summary]


def broken_vocabulary(plan: Plan) -> list[str]:
    """Return the file of what classes mean to a detector, if it cannot be used."""
    path = plan.state("detect") / "vocabulary.json"
    if not path.exists():
        return []
    try:
        names = Vocabulary.of_value(_json(path)).names
        whole = all(isinstance(known, str) for known in names.values())
    except (LookupError, TypeError, ValueError, AttributeError):
        whole = False
    return [] if whole and not _is_ahead(path) else [str(path)]


def _is_cut(path: Path) -> bool:
    """Tell by its ends that a file, which may be large, is no JSON object."""
    with open(path, "rb") as file:
        first = file.read(1)
        file.seek(-min(1, path.stat().st_size), os.SEEK_END)
        return first + file.read() != b"{}"


def _is_summary(value: Any) -> bool:
    said = value.get("said") if isinstance(value, dict) else None
    return isinstance(said, list) and all(isinstance(each, str) for each in said)


def _is_ahead(path: str | Path) -> bool:
    return os.path.exists(path) and os.stat(path).st_mtime > time.time() + AHEAD


def _may_be(table: str | Path, *columns: str, wholly: bool = False) -> bool:
    """Whether a file is a table; what is not there is missed by others."""
    return not os.path.exists(table) or is_table(table, *columns, wholly=wholly)


def _is_filled(table: Path, columns: tuple[str, ...], filled: bool) -> bool:
    return is_table(table, *columns) and (not filled or table.stat().st_size > 0)


def _is_array(path: Path) -> bool:
    if not path.is_file():
        return not path.exists()
    try:
        return bool(np.load(path, mmap_mode="r").ndim == 2)
    except (OSError, ValueError, EOFError):
        return False


def _json(path: str | Path) -> Any:
    with suppress(OSError, ValueError, RecursionError):
        return read_json(path)
    return None
