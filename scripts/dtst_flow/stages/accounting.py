"""Whether the jobs of a stage account for every image, before anything is removed."""

import os
from collections.abc import Iterable
from pathlib import Path

from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.state import state_of
from dtst_flow.utils.tables import count_rows


def check_complete(inventory: str, tables: list[str], failed: list[str]) -> None:
    """Refuse tables that leave images out: what they vouch for would be removed.

    Args:
        inventory: The folder with the manifests, `<shard>.jsonl`.
        tables: What the stage wrote, shard by shard.
        failed: The images that failed, shard by shard.

    Raises:
        SystemExit: A manifest has images of which no table tells.
    """
    for table, failures in zip(tables, failed, strict=True):
        refuse_incomplete(inventory, table, count_rows(table) + count_rows(failures))


def refuse_incomplete(inventory: str, table: str, told: int) -> None:
    """Refuse a shard whose job leaves images out.

    Args:
        inventory: The folder with the manifests, `<shard>.jsonl`.
        table: What the stage wrote of the shard.
        told: Of how many images its tables tell.

    Raises:
        SystemExit: Its manifest has more.
    """
    listed = count_rows(Path(inventory, Path(table).name))
    if told < listed:
        raise SystemExit(
            f"shard {Path(table).stem}: its job tells of {told} images of {listed}; "
            f"nothing was removed. Delete {table} and run the same again."
        )


def refuse_nothing(images: int, bucket: str) -> None:
    """Refuse to sum up no image at all, which would empty the bucket.

    Args:
        images: How many there are, with those that failed.
        bucket: The bucket.

    Raises:
        SystemExit: There are none.
    """
    if not images:
        skipped = state_of(bucket) / "inventory" / "skipped.table"
        raise SystemExit(
            f"the source holds no image, so nothing was made and nothing in {bucket} "
            f"was removed; files that were skipped are listed in {skipped}. To remove "
            f"the results, delete {bucket}."
        )


def refuse_missing(bucket: str, entries: Iterable[Entry]) -> None:
    """Refuse to sum up files that are not there.

    Args:
        bucket: The bucket, with a ledger by which the next run restores them.
        entries: All files that jobs made in it.

    Raises:
        SystemExit: One of them is gone.
    """
    paths = (entry.path for entry in entries)
    gone = [path for path in paths if not os.path.lexists(os.path.join(bucket, path))]
    if gone:
        raise SystemExit(
            f"{len(gone)} of the files made in {bucket} are gone since, first "
            f"{min(gone)!r}; run the same again, which restores them"
        )
