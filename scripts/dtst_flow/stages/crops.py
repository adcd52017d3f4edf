"""What the stages that write crops share."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.runtime.failures import healed_parts
from dtst_flow.stages.accounting import refuse_missing
from dtst_flow.stages.contract import Committed, Row
from dtst_flow.utils.files import read_table

log = logging.getLogger(__name__)


def distinct(content: dict[str, str]) -> list[str]:
    """Of images of the same content one, as the record of one does for all.

    Args:
        content: Path -> digest.
    """
    return sorted({digest: path for path, digest in content.items()}.values())


def count(rows: list[Row]) -> int:
    """How many crops the rows of a table tell of."""
    return sum(len(row["crops"]) for row in rows)


@dataclass(frozen=True)
class CropStats:
    """The crops that a stage made of images.

    Attributes:
        crops: Image -> its crops, by their names in the bucket.
        per_image: How many an image has, on average; 1 where none is known.
        size: Bytes of a crop and its sidecar, on average.
    """

    crops: dict[str, list[str]]
    per_image: float = 1.0
    size: float = 0.0

    @classmethod
    def of_tables(cls, tables: Iterable[Path]) -> "CropStats":
        """Read a stage's tables; those that no run wrote are as good as none."""
        try:
            rows = [row for table in tables for row in read_table(table)]
            crops = {row["path"]: [c["path"] for c in row["crops"]] for row in rows}
            sizes = [Entry.of_row(c).size for row in rows for c in row["crops"]]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return cls({})
        if not sizes:
            return cls({})
        return cls(crops, len(sizes) / len(crops), sum(sizes) / len(sizes))


def damaged_shards(bucket: str) -> list[str]:
    """The shards whose files were edited or deleted, or whose failures may be mended."""
    edited = Ledgers(bucket, state_of(bucket)).damaged_parts()
    return sorted({*edited, *healed_parts(state_of(bucket))})


def commit(shards: dict[str, list[Row]], failures: list[Row], bucket: str) -> Committed:
    """Remove our crops that are no longer wanted.

    Args:
        shards: The rows of each shard, crops as entries.
        failures: Of no account here.
        bucket: The bucket.

    Returns:
        What names all others, and those that were removed.

    Raises:
        SystemExit: A crop that is wanted is not there.
    """
    entries = {
        shard: [entry for row in rows for entry in row["crops"]]
        for shard, rows in shards.items()
    }
    Path(bucket).mkdir(parents=True, exist_ok=True)  # also when nothing was found
    removed = Ledgers(bucket, state_of(bucket)).commit(entries)
    refuse_missing(bucket, (entry for part in entries.values() for entry in part))
    for path in removed:
        log.info(
            "removed %s/%s: no image, box or setting asks for it now", bucket, path
        )
    content = sorted(
        [entry.path, entry.key, entry.sidecar]
        for part in entries.values()
        for entry in part
    )
    return Committed(content, removed)
