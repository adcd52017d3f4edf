"""Stage collect: when all shards are done, settle the bucket and sum up."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.runtime.failures import first_of
from dtst_flow.stages.detect import ownership, visited
from dtst_flow.utils.files import (
    digest_value,
    read_table,
    sweep,
    to_json,
    write_atomic,
    write_table,
)

log = logging.getLogger(__name__)

MAX_SHOWN = 50
"""Classes named of those that there are, at most."""


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
    """Settle the bucket on what all shards wrote.

    stage     a key of SENTENCES: the stage that wrote it
    tables, failed  its tables, shard by shard
    skipped   the inventory's list of files passed over
    summary   written: counts, and a digest of all that was written, by which the next
              stage sees a change
    failures  written: {path, reason} of every failed image and of every box that could
              not be used
    strict    whether one failed image fails the run

    Tables of shards that are none any more are deleted. Raises SystemExit, once the bucket
    is settled, when no image could be processed or one failed and that was not to be.
    """
    drop_others([*tables, *failed])
    shards = {Path(table).stem: list(_rows(table)) for table in tables}
    rows = [row for rows in shards.values() for row in rows]
    reasons = [row for table in failed for row in read_table(table)]
    if stage == "detect":
        content = _settle_sidecars([*rows, *reasons])
    else:
        content = _settle_crops(shards, bucket)
    reasons = [{"path": row["path"], "reason": row["reason"]} for row in reasons]
    reasons.sort(key=lambda row: row["path"])
    unusable = [
        {"path": row["path"], "reason": reason}
        for row in rows
        for reason in row.get("unusable", ())
    ]
    write_table(failures, sorted(reasons + unusable, key=lambda row: row["path"]))
    passed_over = sum(1 for _ in read_table(skipped))
    said = sentences(stage, rows, len(reasons), passed_over, bucket)
    log.info("\n".join(said))
    if not rows:
        named = [first_of(reasons, bucket)] if reasons else []
        raise SystemExit("; ".join([*said, *named]))
    if strict and reasons:
        raise SystemExit(
            f"{len(reasons)} images failed and --strict was given; "
            f"{first_of(reasons, bucket)}"
        )
    told = {"said": said, "digest": digest_value(content)}
    write_atomic(summary, to_json(told, indent=2) + b"\n")


def _rows(table: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, crops as entries, which take less memory than rows."""
    for row in read_table(table):
        if "crops" in row:
            row["crops"] = [Entry.of_row(crop) for crop in row["crops"]]
        yield row


def drop_others(tables: list[str]) -> None:
    """Delete the tables of shards that are none any more from beside those that are.

    Should they come back, of the same images, nothing would tell that results changed
    since.
    """
    kept = {Path(table) for table in tables}
    for folder in {table.parent for table in kept}:
        for other in set(folder.glob("*.jsonl")) - kept:
            other.unlink()


def _settle_crops(shards: dict[str, list[dict]], bucket: str) -> list:
    """Remove our crops that are no longer wanted; returns what names all others."""
    crops = {
        shard: [crop for row in rows for crop in row["crops"]]
        for shard, rows in shards.items()
    }
    Path(bucket).mkdir(parents=True, exist_ok=True)  # also when nothing was found
    removed = Ledgers(bucket, state_of(bucket)).commit(crops)
    for path in removed:
        log.info("removed %s/%s: its source is gone or changed", bucket, path)
    return sorted([c.path, c.key, c.sidecar] for cs in crops.values() for c in cs)


def _settle_sidecars(rows: list[dict]) -> list:
    """Clear the sidecars of images that are gone; returns what names all others.

    Unfinished ones that a kill left beside the images go as well.
    """
    now = {row["path"]: row["digest"] for row in rows}
    before, ours = visited(), ownership()
    known = {
        r["path"]: r["digest"] for r in before.rows() if is_relative(r["path"])
    } | now
    for folder in {Path(path).parent for path in known}:
        sweep(folder)
    # Of another source, or since one of other content: no business of this run.
    elsewhere = known.keys() - now.keys()
    for path in [path for path in elsewhere if not Path(path).is_file()]:
        try:
            ours.clear(path, lambda name: True)
        except sidecars.BrokenSidecar as error:
            log.warning("%s", error)
        del known[path]
    before.commit(sorted(known.items()))
    return sorted((row["path"], row["sidecar"]) for row in rows)


def sentences(
    stage: str, rows: list[dict], failed: int, passed_over: int, bucket: str
) -> list[str]:
    """What to tell the user of the result, in plain words."""
    first, *more = SENTENCES[stage](rows)
    said = [f"{len(rows)} images: {first}", *more]
    if failed:
        said.append(f"{failed} images could not be processed")
    if passed_over:
        said.append(
            f"{passed_over} files were passed over, listed with reasons in "
            f"{state_of(bucket) / 'inventory' / 'skipped.table'}"
        )
    return said


def _of_faces(rows: list[dict]) -> list[str]:
    faceless = sum(row["found"] == 0 for row in rows)
    return [f"{_crops(rows)} crops; {faceless} images show no face"]


def _crops(rows: list[dict]) -> int:
    return sum(len(row["crops"]) for row in rows)


def _of_detections(rows: list[dict]) -> list[str]:
    cleared = Counter(name for row in rows for name in row["cleared"])
    if not any(row["found"] for row in rows):
        told = [
            f"{name} from {count} sidecars" for name, count in sorted(cleared.items())
        ]
        return [f"cleared {', '.join(told) or 'nothing'}"]
    boxes, found_in = Counter(), Counter()
    for row in rows:
        boxes.update(row["found"])
        found_in.update(name for name, count in row["found"].items() if count)
    told = [
        f"{name} in {found_in[name]} ({count} boxes)"
        for name, count in sorted(boxes.items())
    ]
    said = [", ".join(told)]
    users = Counter(name for row in rows for name in row["users"])
    for name, count in sorted(users.items()):
        said.append(
            f"{count} sidecars have a {name!r} that detect did not write; they keep it"
        )
    return said


def _of_classes(rows: list[dict]) -> list[str]:
    without = sum(row["found"] == 0 for row in rows)
    said = [f"{_crops(rows)} crops; {without} images have no box to cut"]
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
        named = ", ".join(there[:MAX_SHOWN])
        more = f" and {len(there) - MAX_SHOWN} more" if len(there) > MAX_SHOWN else ""
        said.append(f"no image has the class {name!r}; there are: {named}{more}")
    return said


def _missing_everywhere(rows: list[dict]) -> list[str]:
    """The classes asked for that no sidecar has."""
    return sorted(set.intersection(*(set(row["missing"]) for row in rows)))


SENTENCES = {
    "extract_faces": _of_faces,
    "detect": _of_detections,
    "extract_classes": _of_classes,
}
"""Stage -> what is to be said of the rows of its tables."""
