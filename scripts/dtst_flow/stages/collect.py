"""When all shards of a stage are done: settle what it wrote, and sum up."""

import logging
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.dataset.state import state_of
from dtst_flow.runtime.failures import fail_where_due
from dtst_flow.stages.accounting import refuse_incomplete, refuse_nothing
from dtst_flow.stages.contract import Committed, Stage
from dtst_flow.stages.registry import STAGES
from dtst_flow.stages.shards import IMAGES, Shard, Tally, recall, remember
from dtst_flow.stages.telling import of_files
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import count_rows, read_table, write_table

log = logging.getLogger(__name__)

NOTHING = Committed({}, [], [])

SUMS = "sums.jsonl"
"""Name of the file, in the state of a bucket, with what each shard sums up to."""


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


def run(stage: str, job: CollectJob, bucket: str, strict: bool, code: str) -> None:
    """Settle a bucket on what all shards wrote.

    Shards of which nothing changed since are not read again. Tables of shards that no
    longer exist are deleted.

    Args:
        stage: The name of the stage that wrote it.
        job: The files to read and write.
        bucket: The stage's bucket.
        strict: Whether one failed image fails the run.
        code: Names the code that sums up.

    Raises:
        SystemExit: There is no image, a shard leaves images out, or what was asked for is
            in none: nothing was removed. Or no image could be processed, or one failed
            and that was not to be: the bucket is settled.
    """
    maker, sums = STAGES[stage], state_of(bucket) / SUMS
    shards = _shards(maker, job, bucket)
    recall(sums, code, shards)
    tally = Tally()
    for shard in shards.values():
        if not shard.is_same():
            shard.sum_up(maker.tally)
        told = shard.tally[IMAGES] + count_rows(shard.failed)
        refuse_incomplete(job.inventory, shard.table, told)
        tally.update(shard.tally)
    drop_others([*job.tables, *job.failed])
    failures = [row for table in job.failed for row in read_table(table)]
    refuse_nothing(tally[IMAGES] + len(failures), bucket)
    if tally[IMAGES] and maker.missing and (fault := maker.missing(tally)):
        raise SystemExit(f"{fault}. Nothing was removed.")
    committed = maker.commit(shards, failures, bucket) if maker.commit else NOTHING
    for name, shard in shards.items():
        shard.content = committed.contents.get(name, 0)
    remember(sums, code, shards)
    reasons = [{"path": row["path"], "reason": row["reason"]} for row in failures]
    reasons.sort(key=lambda row: row["path"])
    unusable = [row for shard in shards.values() for row in shard.unusable]
    write_table(job.failures, sorted(reasons + unusable, key=lambda row: row["path"]))
    skipped = sum(1 for _ in read_table(Path(job.inventory, "skipped.table")))
    said = sentences(maker, tally, len(reasons), skipped, bucket)
    said += of_files(bucket, committed.removed, committed.restored)
    log.info("\n".join(said))
    if not tally[IMAGES] or reasons:
        fail_where_due(said, reasons, bucket, bool(tally[IMAGES]), strict)
    summary = {
        "said": said,
        "images": tally[IMAGES],
        "failed": len(reasons),
        "skipped": skipped,
        "removed": len(committed.removed),
        "restored": len(committed.restored),
        "digest": f"{sum(committed.contents.values()) % 2**128:032x}",
    }
    write_atomic(job.summary, to_json(summary, indent=2) + b"\n")


def _shards(stage: Stage, job: CollectJob, bucket: str) -> dict[str, Shard]:
    """Return the shards by name; nothing is known of them yet."""
    ledgers, shards = stage.ledgers(bucket), {}
    for table, failed in zip(job.tables, job.failed, strict=True):
        name = Path(table).stem
        noted = ledgers.table_of(name), ledgers.journal_of(name)
        shards[name] = Shard(table, failed, noted)
    return shards


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
    stage: Stage, tally: Tally, failed: int, skipped: int, bucket: str
) -> list[str]:
    """Return what to tell the user of the result, in plain words."""
    first, *more = stage.describe(tally) if stage.describe else [""]
    said = [f"{tally[IMAGES]} {stage.reads.plural}: {first}", *more]
    if failed:
        said.append(f"{failed} {stage.reads.plural} could not be processed")
    if skipped:
        said.append(
            f"{skipped} files were passed over, listed with reasons in "
            f"{state_of(bucket) / 'inventory' / 'skipped.table'}"
        )
    return said
