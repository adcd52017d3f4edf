"""Stage select: images of clusters or of any bucket in, those chosen out."""

import logging
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.selection import FILE, SelectionEvidence
from dtst_flow.dataset.state import state_of
from dtst_flow.imaging import header
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.runtime.failures import fail_where_due, first_of
from dtst_flow.stages import choosing, crops, measuring
from dtst_flow.stages.accounting import check_complete, refuse_missing, refuse_nothing
from dtst_flow.stages.asking import Asked, ask, sources, unfit
from dtst_flow.stages.choosing import Choice, Options
from dtst_flow.stages.contract import Going, Pending, Row, Settings, Stage, WouldFail
from dtst_flow.stages.layout import PART, Layout, bring, check_links, name_of
from dtst_flow.stages.telling import of_files
from dtst_flow.stages.wanted import UnknownCluster
from dtst_flow.utils.files import digest_value, read_bytes, to_json, write_atomic
from dtst_flow.utils.tables import read_table, write_table
from dtst_flow.utils.text import capped

log = logging.getLogger(__name__)

MAX_SHOWN = 10
"""Clusters of which it is told how many of their images are chosen."""


@dataclass(frozen=True)
class SelectJob:
    """The files of the job, relative to the dataset folder in which it runs.

    Attributes:
        tables: What is known of the images, shard by shard.
        failed: The images that could not be looked at, shard by shard.
        inventory: The folder with the manifests.
        summary: Written last: what to tell the user.
        failures: Written: the row of every image that could not be looked at or laid out.
    """

    tables: list[str]
    failed: list[str]
    inventory: str
    summary: str
    failures: str


def run(job: SelectJob, settings: Settings, strict: bool) -> None:
    """Choose images, and lay them out with a `selection.FILE`.

    Args:
        job: The files to read and write.
        settings: All settings of the stage.
        strict: Whether one failed image fails the run.

    Raises:
        SystemExit: There is no image, a shard leaves images out, or what is asked for is
            in none: nothing was removed. Or an image failed and that was not to be: all
            others are laid out.
    """
    bucket = settings["to"]
    check_complete(job.inventory, job.tables, job.failed)
    rows = [row for table in job.tables for row in read_table(table)]
    failed = [row for table in job.failed for row in read_table(table)]
    refuse_nothing(len(rows) + len(failed), bucket)
    asked = _ask(settings, rows)
    failed = [row for row in failed if asked.is_about(row["path"])]
    choice = asked.choose(rows)
    said = sentences(asked, rows, choice, bucket)
    if not choice.rows:
        named = [first_of(failed, bucket)] if failed else []
        raise SystemExit("\n".join([*said, *named, "So nothing was changed."]))
    check_links(choice.rows, bucket, settings["link"])
    laid, removed, restored = _lay_out(asked, choice, settings)
    failures = sorted(failed + laid.left_out, key=lambda row: str(row["path"]))
    write_table(job.failures, failures)
    if failures:
        said.append(f"{len(failures)} images could not be read or laid out")
    said += of_files(bucket, removed, restored)
    log.info("\n".join(said))
    if failures:
        fail_where_due(said, failures, bucket, bool(laid.entries), strict)
    summary = {
        "said": said,
        "images": len(rows),
        "failed": len(failures),
        "chosen": len(laid.entries),
        "left_out": choice.left_out,
        "removed": len(removed),
        "restored": len(restored),
    }
    write_atomic(job.summary, to_json(summary, indent=2) + b"\n")


def _ask(settings: Settings, rows: list[Row]) -> Asked:
    """Find out what is asked for. Raises SystemExit where that is in none of the images."""
    try:
        asked = ask(settings)
    except UnknownCluster as error:
        raise SystemExit(f"{error}. Nothing was removed.") from error
    if rows and (fault := choosing.missing(rows, asked.options)):
        raise SystemExit(f"{fault}. Nothing was removed.")
    return asked


def _lay_out(
    asked: Asked, choice: Choice, settings: Settings
) -> tuple[Layout, list[str], list[str]]:
    """Lay out what is chosen; returns that, and the files removed and put back."""
    bucket = settings["to"]
    ledgers = Ledgers(bucket, state_of(bucket), SelectionEvidence(bucket))
    places = [(i, name_of(row), row) for i, row in enumerate(choice.rows)]
    laid = bring("choose", places, ledgers, settings["link"])
    content = to_json(describe(asked, choice, laid, settings), indent=2) + b"\n"
    entry, _ = Part(ledgers, PART).write(
        FILE, digest_value(content.decode()), lambda: content
    )
    restored = ledgers.restored()
    entries: list[Entry] = [*laid.entries, entry]
    removed = ledgers.commit({PART: entries})
    refuse_missing(bucket, entries)
    return laid, removed, restored


def describe(
    asked: Asked, choice: Choice, laid: Layout, settings: Settings
) -> dict[str, Any]:
    """Return the content of `selection.FILE`."""
    sized = {cluster.id for cluster in choosing.of_size(asked.found, asked.options)}
    return {
        "parameters": {"from": settings["from"], **asdict(asked.options)},
        "clusters": [
            {
                "asked": one.asked,
                "bound": one.bound,
                "id": one.cluster.id,
                "name": one.cluster.name,
            }
            for one in asked.found
            if one.bound or one.cluster.id in sized
        ],
        "images": [
            {"path": row["path"], "cluster": _id_of(choice, row)} | laid.files[i]
            for i, row in enumerate(choice.rows)
            if i in laid.files
        ],
    }


def _id_of(choice: Choice, row: Row) -> str | None:
    home = choice.homes.get(row["path"])
    return home.id if home else None


def sentences(asked: Asked, rows: list[Row], choice: Choice, bucket: str) -> list[str]:
    """Return what to tell the user of a choice, in plain words."""
    file = f"{bucket}/{FILE}"
    said = [f"{len(rows)} images: {len(choice.rows)} chosen"]
    if asked.known:
        chosen = Counter(choice.homes[row["path"]].id for row in choice.rows)
        clusters = choosing.of_size(asked.found, asked.options)
        said[0] += f" of {len(clusters)} clusters"
        told = [
            f"{c.spelled}: {chosen[c.id]} of {len(c.images)} images" for c in clusters
        ]
        said += capped(told, f"in {file}", MAX_SHOWN)
    if choice.left_out:
        left = (
            f"{count} {'by ' if why.startswith('--') else ''}{why}"
            for why, count in choice.left_out.items()
        )
        said.append(f"left out: {', '.join(left)}")
    if choice.lost:
        said.append(
            f"{choice.lost} images of these clusters are no longer in "
            f"{','.join(asked.known.folders if asked.known else ())}; dtst cluster "
            "clusters what is there"
        )
    return said + asked.renumbering(bucket) + choosing.notes(rows, asked.options)


def models(settings: Settings) -> dict[str, str | None]:
    """None: what there is to choose by is known already."""
    return {}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """Nothing besides what `measuring` imports."""
    return ()


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """Nothing that takes long, and in words what would be chosen. Raises WouldFail."""
    try:
        asked = ask(settings)
    except UnknownCluster as error:
        raise WouldFail(str(error)) from error
    rows = list(_looked_up(asked, settings["to"], images))
    if rows and (fault := choosing.missing(rows, asked.options)):
        raise WouldFail(fault)
    choice = asked.choose(rows)
    first, *more = sentences(asked, rows, choice, settings["to"])
    if rows and not choice.rows:
        raise WouldFail("\n".join([first, *more]))
    there = len(_there(settings["to"]) & {row["path"] for row in choice.rows})
    said = (
        f"{len(choice.rows)} chosen: {len(choice.rows) - there} to write, {there} there"
    )
    return Pending([], "\n".join([said, *more]))


def _there(bucket: str) -> set[str]:
    """The images that are laid out, as far as their files are as they were written."""
    ledgers = Ledgers(bucket, state_of(bucket))
    owned = ledgers.owned()
    listed = (SelectionEvidence(bucket).listed or {}).values()
    return {
        one.image
        for one in listed
        if (row := owned.get(one.file)) and ledgers.intact(row)
    }


def _looked_up(asked: Asked, bucket: str, images: dict[str, str]) -> Iterator[Row]:
    """Yield the rows of images as a run would have them; of unreadable ones none.

    Sizes that make no difference are left out, as to know them takes long.
    """
    sizes = {row["digest"]: tuple(row["size"]) for row in _known_rows(bucket)}
    for path, digest in images.items():
        with suppress(OSError, UnreadableImage):
            size = sizes.get(digest, (0, 0))
            if asked.needs_sizes and digest not in sizes:
                size = header.size(read_bytes(path, sys.maxsize))
            yield measuring.facts(ManifestRow(path, digest, stem=""), size)


def _known_rows(bucket: str) -> list[Row]:
    """The rows of the tables of the last run; none where they cannot be used."""
    tables = (state_of(bucket) / STAGE.table).glob("*.jsonl")
    try:
        rows = [row for table in tables for row in read_table(table)]
        return [row for row in rows if row.keys() >= measuring.COLUMNS]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def going(settings: Settings, files: Collection[str]) -> Going:
    """The files of the last run that would go, as far as is known without a look at images.

    Raises:
        Nothing: What cannot be known does not count.
    """
    listed = (SelectionEvidence(settings["to"]).listed or {}).values()
    rows = [row for row in _known_rows(settings["to"]) if row["path"] in files]
    try:
        asked = ask(settings)
    except UnknownCluster:
        return Going()
    if not rows:
        return Going()
    kept = {row["path"] for row in asked.choose(asked.as_clustered(rows)).rows}
    known = {row["path"] for row in rows}
    gone = [one for one in listed if one.image not in kept and one.image in known]
    away = [one for one in listed if one.image not in files]
    return Going(len(listed), len(gone) + len(away), "they are no longer chosen")


STAGE = Stage(
    name="select",
    rule="measure",
    collector="choose",
    options=Options,
    models=models,
    code=code,
    cost_keys={"measure": (), "choose": ("link",)},
    run=measuring.run,
    pending=pending,
    damaged_shards=crops.damaged_shards,
    unfit=unfit,
    evidence=SelectionEvidence,
    sources=sources,
    going=going,
)
