"""Whether a target's state is free for a stage: one bucket, one stage."""

from pathlib import Path, PurePosixPath

from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.contract import Stage
from dtst_flow.stages.registry import STAGES

INNER = frozenset(
    {"inventory", "ledger", "journal", "failed", "history"}
    | {stage.table for stage in STAGES.values()}
)
"""Folders in the state of a bucket; that of a bucket in another may not be one of them."""


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
    for other in STAGES.values():
        if other is not stage and any((state / other.table).glob("s*.jsonl")):
            raise BadBucket(
                f"--to '{bucket}' has the results of {other.command}, with which those "
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
