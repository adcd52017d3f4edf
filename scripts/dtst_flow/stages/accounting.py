"""Whether the jobs of a stage account for every image, before anything is removed."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dtst_flow.dataset.state import state_of
from dtst_flow.utils.files import pieces_of


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
        listed, told = _rows(manifest), _rows(table) + _rows(failures)
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


def _rows(table: str | Path) -> int:
    return sum(map(len, pieces_of(table)))
