"""Whether the state of a target can be kept: one bucket, one stage, nothing in the way."""

import os
from pathlib import Path, PurePosixPath

from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.state import PROGRESS, RECORDS, STATE, state_of
from dtst_flow.stages.contract import TABLES, Stage

INNER = frozenset(
    {"inventory", "ledger", "journal", "failed", "history", *TABLES.values()}
)
"""Folders in the state of a bucket; that of a bucket in another may not be one of them."""


def check_folders(dataset: Path, bucket: str) -> None:
    """Refuse a dataset in which a file has the name of a folder of its state.

    Args:
        dataset: The dataset folder.
        bucket: A bucket, of whose state as well.

    Raises:
        BadBucket: There is one.
    """
    state = state_of(bucket)
    above = [folder for folder in state.parents if STATE in folder.parents]
    shared = [
        RECORDS,
        PROGRESS,
        *(STATE / name for name in ("logs", "config", "detected")),
    ]
    rooms = [state / name for name in (*sorted(INNER), "begun")]
    for folder in (
        *above[::-1],
        state,
        *rooms,
        *shared,
        *(dataset / RECORDS).glob("*"),
    ):
        path = dataset / folder
        if os.path.lexists(path) and not path.is_dir():
            raise BadBucket(
                f"{path} is no folder, and dtst keeps its state in a folder of that name; "
                "move it away"
            )


def check_free(dataset: Path, bucket: str, stage: Stage) -> None:
    """Refuse a target in which another stage has results, or whose state holds another's.

    Args:
        dataset: The dataset folder.
        bucket: The target.
        stage: The stage that is to write there.

    Raises:
        BadBucket: There is one.
    """
    state = dataset / state_of(bucket)
    for other, table in TABLES.items():
        if other != stage.name and any((state / table).glob("s*.jsonl")):
            command = other.replace("_", "-")
            raise BadBucket(
                f"--to '{bucket}' has the results of {command}, with which those "
                f"of {stage.command} are not to mix: choose another --to, or delete "
                f"{dataset / bucket} and {state}"
            )
    for outer in PurePosixPath(bucket).parents[:-1]:
        name = PurePosixPath(bucket).relative_to(outer).parts[0]
        if name in INNER and _is_state(dataset / state_of(str(outer))):
            raise _clash(bucket, name)
    for name in sorted(INNER):
        if _is_state(state / name):
            raise _clash(f"{bucket}/{name}", name)


def _is_state(folder: Path) -> bool:
    return (folder / "inventory" / "skipped.table").exists()


def _clash(bucket: str, name: str) -> BadBucket:
    outer = bucket.removesuffix(f"/{name}")
    return BadBucket(
        f"'{outer}' and '{bucket}' cannot both be targets: .dtst would keep what it knows "
        f"of both in one place; choose a --to whose folders are not called '{name}'"
    )
