"""When all shards of a stage are done: settle what it wrote, and sum up."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.state import state_of
from dtst_flow.runtime.failures import fail_where_due
from dtst_flow.stages.accounting import check_complete, refuse_nothing
from dtst_flow.stages.contract import Committed, Row, Stage
from dtst_flow.stages.registry import STAGES
from dtst_flow.stages.telling import of_files
from dtst_flow.utils import row_json
from dtst_flow.utils.files import digest, to_json, write_atomic
from dtst_flow.utils.tables import read_table, write_table

log = logging.getLogger(__name__)

NOTHING = Committed(None, [], [])


@dataclass(frozen=True)
class CollectJob:
    """The files of the job, relative to the dataset folder in which it runs.

    Attributes:
        tables: What the stage wrote, shard by shard.
        failed: The images that failed, shard by shard.
        inventory: The folder with the manifests and the list of files that were skipped.
        summary: Written last: what to tell the user, and a digest of all that the stage
            wrote, by which the next stage sees a change.
        failures: Written: {path, reason} of every failed image and of every box that
            could not be used.
    """

    tables: list[str]
    failed: list[str]
    inventory: str
    summary: str
    failures: str


def run(stage: str, job: CollectJob, bucket: str, strict: bool) -> None:
    """Settle a bucket on what all shards wrote.

    Tables of shards that no longer exist are deleted.

    Args:
        stage: The name of the stage that wrote it.
        job: The files to read and write.
        bucket: The stage's bucket.
        strict: Whether one failed image fails the run.

    Raises:
        SystemExit: There is no image, a shard leaves images out, or what was asked for is
            in none: nothing was removed. Or no image could be processed, or one failed
            and that was not to be: the bucket is settled.
    """
    check_complete(job.inventory, job.tables, job.failed)
    drop_others([*job.tables, *job.failed])
    shards = {Path(table).stem: list(_rows(table)) for table in job.tables}
    rows = [row for part in shards.values() for row in part]
    failures = [row for table in job.failed for row in read_table(table)]
    maker = STAGES[stage]
    refuse_nothing((rows, failures), bucket)
    if rows and maker.missing and (fault := maker.missing(rows)):
        raise SystemExit(f"{fault}. Nothing was removed.")
    committed = maker.commit(shards, failures, bucket) if maker.commit else NOTHING
    reasons = [{"path": row["path"], "reason": row["reason"]} for row in failures]
    reasons.sort(key=lambda row: row["path"])
    unusable = [
        {"path": row["path"], "reason": reason}
        for row in rows
        for reason in row.get("unusable", ())
    ]
    listed = sorted(reasons + unusable, key=lambda row: row["path"])
    write_table(job.failures, listed)
    skipped = sum(1 for _ in read_table(Path(job.inventory, "skipped.table")))
    said = sentences(maker, rows, len(reasons), skipped, bucket)
    said += of_files(bucket, committed.removed, committed.restored)
    log.info("\n".join(said))
    if not rows or reasons:
        fail_where_due(said, reasons, bucket, bool(rows), strict)
    summary = {
        "said": said,
        "images": len(rows),
        "failed": len(reasons),
        "skipped": skipped,
        "removed": len(committed.removed),
        "restored": len(committed.restored),
        "digest": digest(row_json.dumps(committed.content)),
    }
    write_atomic(job.summary, to_json(summary, indent=2) + b"\n")


def _rows(table: str) -> Iterator[Row]:
    """Yield the rows of a table, crops as entries, which take less memory than rows."""
    for row in read_table(table):
        if "crops" in row:
            row["crops"] = [Entry.of_row(crop) for crop in row["crops"]]
        yield row


def drop_others(tables: list[str]) -> None:
    """Delete the tables of shards that no longer exist from beside those that do.

    Should they come back, of the same images, nothing would tell that results changed
    since.
    """
    kept = {Path(table) for table in tables}
    for folder in {table.parent for table in kept}:
        for other in set(folder.glob("*.jsonl")) - kept:
            other.unlink()


def sentences(
    stage: Stage, rows: list[Row], failed: int, skipped: int, bucket: str
) -> list[str]:
    """Return what to tell the user of the result, in plain words."""
    first, *more = stage.describe(rows) if stage.describe else [""]
    said = [f"{len(rows)} {stage.reads.plural}: {first}", *more]
    if failed:
        said.append(f"{failed} {stage.reads.plural} could not be processed")
    if skipped:
        said.append(
            f"{skipped} files were passed over, listed with reasons in "
            f"{state_of(bucket) / 'inventory' / 'skipped.table'}"
        )
    return said
