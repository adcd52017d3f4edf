"""Stage collect: when all shards are done, settle the bucket and sum up."""

import logging
from pathlib import Path

from dtst_flow.files import digest_value, read_table, to_json, write_atomic, write_table
from dtst_flow.ledger import Ledgers
from dtst_flow.stages.job import state_of

log = logging.getLogger(__name__)


def run(
    stage: str,
    tables: list[str],
    failed: list[str],
    skipped: str,
    bucket: str,
    summary: str,
    failures: str,
    strict: bool,
) -> None:
    """Settle the bucket on the crops of all shards.

    stage     a key of SENTENCES: the stage that wrote the crops
    tables, failed  its tables, shard by shard
    skipped   the inventory's list of files passed over
    summary   written: counts, and a digest of all crops, by which the next stage sees
              a change
    failures  written: {path, reason} of every failed image and of every box that could
              not be used
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
    rows = [row for rows in shards.values() for row in rows]
    reasons = [row for table in failed for row in read_table(table)]
    reasons.sort(key=lambda row: row["path"])
    unusable = [
        {"path": row["path"], "reason": reason}
        for row in rows
        for reason in row.get("unusable", ())
    ]
    write_table(failures, sorted(reasons + unusable, key=lambda row: row["path"]))
    keys = sorted(
        [c["path"], c["key"], c["sidecar"]] for cs in crops.values() for c in cs
    )
    passed_over = sum(1 for _ in read_table(skipped))
    said = sentences(stage, rows, len(reasons), passed_over, bucket)
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
    stage: str, rows: list[dict], failed: int, passed_over: int, bucket: str
) -> list[str]:
    """What to tell the user of the result, in plain words."""
    crops = sum(len(row["crops"]) for row in rows)
    first, *more = SENTENCES[stage](rows)
    said = [f"{len(rows)} images: {crops} crops; {first}", *more]
    if failed:
        said.append(f"{failed} images could not be processed")
    if passed_over:
        said.append(
            f"{passed_over} files were passed over, listed with reasons in "
            f"{state_of(bucket) / 'inventory' / 'skipped.table'}"
        )
    return said


def _of_faces(rows: list[dict]) -> list[str]:
    return [f"{sum(row['found'] == 0 for row in rows)} images show no face"]


def _of_classes(rows: list[dict]) -> list[str]:
    without = sum(row["found"] == 0 for row in rows)
    said = [f"{without} images have no box to cut"]
    left_out = sum(row["found"] - len(row["crops"]) for row in rows)
    if left_out:
        said.append(f"{left_out} boxes were left out (--min-score, --skip-partial)")
    unusable = sum(len(row["unusable"]) for row in rows)
    if unusable:
        said.append(f"{unusable} boxes could not be used")
    there = sorted({name for row in rows for name in row["classes"]})
    if not there:
        said.append("no image has a sidecar with classes")
        return said
    for name in _missing_everywhere(rows):
        said.append(f"no image has the class {name!r}; there are: {', '.join(there)}")
    return said


def _missing_everywhere(rows: list[dict]) -> list[str]:
    """The classes asked for that no sidecar has."""
    return sorted(set.intersection(*(set(row["missing"]) for row in rows)))


SENTENCES = {"extract_faces": _of_faces, "extract_classes": _of_classes}
"""Stage -> what is to be said of the rows of its tables."""
