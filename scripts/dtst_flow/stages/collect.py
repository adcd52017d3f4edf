"""Stage collect: when all shards are done, settle the bucket and sum up."""

import logging
from pathlib import Path

from dtst_flow.files import digest_value, read_table, to_json, write_atomic, write_table
from dtst_flow.ledger import Ledgers
from dtst_flow.stages.job import state_of

log = logging.getLogger(__name__)


def run(
    tables: list[str],
    failed: list[str],
    skipped: str,
    bucket: str,
    summary: str,
    failures: str,
    strict: bool,
) -> None:
    """Settle the bucket on the crops of all shards.

    tables, failed  what extract_faces wrote, shard by shard
    skipped   the inventory's list of files passed over
    summary   written: counts, and a digest of all crops, by which the next stage sees
              a change
    failures  written: {path, reason} of every failed image
    strict    whether one failed image fails the run

    Raises SystemExit, once the bucket is settled, when no image could be processed or
    one failed and that was not to be.
    """
    shards = {Path(table).stem: list(read_table(table)) for table in tables}
    crops = {
        shard: [crop for row in rows for crop in row["crops"]]
        for shard, rows in shards.items()
    }
    Path(bucket).mkdir(parents=True, exist_ok=True)  # also when nothing was found
    removed = Ledgers(bucket, state_of(bucket)).settle(crops)
    for path in removed:
        log.info("removed %s/%s: its source is gone or changed", bucket, path)
    reasons = [row for table in failed for row in read_table(table)]
    reasons.sort(key=lambda row: row["path"])
    write_table(failures, reasons)
    rows = [row for rows in shards.values() for row in rows]
    keys = sorted(
        [c["path"], c["key"], c["sidecar"]] for cs in crops.values() for c in cs
    )
    passed_over = sum(1 for _ in read_table(skipped))
    said = sentences(rows, len(keys), len(reasons), passed_over, bucket)
    log.info("\n".join(said))
    if not rows:
        raise SystemExit("; ".join(said))
    if strict and reasons:
        raise SystemExit(
            f"{len(reasons)} images failed and --strict was given; "
            f"first: {reasons[0]['path']}: {reasons[0]['reason']}"
        )
    content = {"said": said, "digest": digest_value(keys)}
    write_atomic(summary, to_json(content, indent=2) + b"\n")


def sentences(
    rows: list[dict], crops: int, failed: int, passed_over: int, bucket: str
) -> list[str]:
    """What to tell the user of the result, in plain words."""
    without = sum(row["faces"] == 0 for row in rows)
    said = [f"{len(rows)} images: {crops} crops; {without} images show no face"]
    if failed:
        said.append(f"{failed} images could not be processed")
    if passed_over:
        said.append(
            f"{passed_over} files were passed over, listed with reasons in "
            f"{state_of(bucket) / 'inventory' / 'skipped.table'}"
        )
    return said
