"""State that is not as dtst writes it, found before anybody relies on it.

It may be damaged, or a stranger's. Making it again is all that it takes, as results are
known by their records; nothing here writes.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dtst_flow.dataset import inventory
from dtst_flow.planning.plan import Plan
from dtst_flow.stages.contract import Stage
from dtst_flow.utils.files import is_table, read_json


def broken_shards(plan: Plan, stage: Stage) -> list[str]:
    """Return the shards of a stage whose tables, failures or arrays cannot be used."""
    folder = plan.inventory(stage.name)
    if not Path(folder).is_dir():
        return []
    return [
        shard
        for shard in inventory.shards(folder)
        if not (
            _may_be(plan.table(stage.name, shard), "path")
            and _may_be(plan.failed(stage.name, shard), "path", "reason")
            and _is_array(Path(plan.table(stage.name, shard, "npy")))
        )
    ]


def is_summed_up(plan: Plan, stage: Stage) -> bool:
    """Tell whether a stage has a summary, and a list of failures, that can be read."""
    summary = _json(plan.summary(stage.name))
    said = summary.get("said") if isinstance(summary, dict) else None
    return (
        isinstance(said, list)
        and all(isinstance(sentence, str) for sentence in said)
        and _may_be(plan.failures(stage.name), "path", "reason")
    )


def broken_vocabulary(plan: Plan) -> list[str]:
    """Return the file of what classes mean to a detector, if it cannot be read."""
    path = plan.state("detect") / "vocabulary.json"
    whole = not path.exists() or isinstance(_json(path), dict)
    return [] if whole else [str(path)]


def _may_be(table: str, *columns: str) -> bool:
    """Whether a file is a table; what is not there is missed by others."""
    return not Path(table).exists() or is_table(table, *columns)


def _is_array(path: Path) -> bool:
    if not path.is_file():
        return not path.exists()
    try:
        return bool(np.load(path, mmap_mode="r").ndim == 2)
    except (OSError, ValueError, EOFError):
        return False


def _json(path: str | Path) -> Any:
    with suppress(OSError, ValueError, RecursionError):
        return read_json(path)
    return None
