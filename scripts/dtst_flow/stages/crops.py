"""What the stages that write crops share."""

import logging
from pathlib import Path
from typing import Any

from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.runtime.failures import healed_parts
from dtst_flow.stages.contract import Row

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


def damaged_shards(bucket: str) -> list[str]:
    """The shards whose files were edited or deleted, or whose failures may be mended."""
    edited = Ledgers(bucket, state_of(bucket)).damaged_parts()
    return sorted({*edited, *healed_parts(state_of(bucket))})


def commit(shards: dict[str, list[Row]], failures: list[Row], bucket: str) -> list[Any]:
    """Remove our crops that are no longer wanted.

    Args:
        shards: The rows of each shard, crops as entries.
        failures: Of no account here.
        bucket: The bucket.

    Returns:
        What names all others.
    """
    entries = {
        shard: [entry for row in rows for entry in row["crops"]]
        for shard, rows in shards.items()
    }
    Path(bucket).mkdir(parents=True, exist_ok=True)  # also when nothing was found
    removed = Ledgers(bucket, state_of(bucket)).commit(entries)
    for path in removed:
        log.info("removed %s/%s: its source is gone or changed", bucket, path)
    return sorted(
        [entry.path, entry.key, entry.sidecar]
        for part in entries.values()
        for entry in part
    )
