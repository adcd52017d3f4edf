"""Whether the jobs of a stage account for every image, before anything is removed."""

import os
from collections.abc import Iterable, Sequence
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
        manifest = Path(inventory, Path(table).name)
        listed, told = count_rows(manifest), count_rows(table) + count_rows(failures)
        if told < listed:
            raise SystemExit(
                f"shard {Path(table).stem}: its job tells of {told} images of {listed}; "
                f"nothing was removed. Delete {table} and run the same again."
            )


def refuse_nothing(tables: Iterable[Sequence[object]], bucket: str) -> None:
    """Refuse to sum up no image at all, which would empty the bucket.

    Args:
        tables: Lists of what is known of images.
        bucket: The bucket.

    Raises:
        SystemExit: All of the lists are empty.
    """
    if not any(tables):
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
    gone = _absent(bucket, (entry.path for entry in entries))
    if gone:
        raise SystemExit(
            f"{len(gone)} of the files made in {bucket} are gone since, first "
            f"{min(gone)!r}; run the same again, which restores them"
        )


def _absent(bucket: str, paths: Iterable[str]) -> list[str]:
    """List those of some paths in a bucket at which nothing is."""
    # A folder is listed once, where a look at each of a million files takes seconds.
    names: dict[str, set[str]] = {}
    absent = []
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder not in names:
            names[folder] = _names_in(os.path.join(bucket, folder))
        if name in names[folder]:
            continue
        # A file system may know a name in other letters than those it lists.
        if not os.path.lexists(os.path.join(bucket, path)):
            absent.append(path)
    return absent


def _names_in(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
