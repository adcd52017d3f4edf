"""What a run did, in plain words."""

from pathlib import Path

from dtst_flow.files import read_json, read_table
from dtst_flow.stages.job import PROGRESS, state_of

SHOWN = 3
"""Failures named in full; all are in the list that is pointed to."""


def summary(buckets: dict[str, str]) -> str:
    """Sum up a run from what its jobs left.

    buckets  stage -> the bucket it makes, in order
    """
    lines = []
    for stage, bucket in buckets.items():
        path = state_of(bucket) / "summary.json"
        if not path.exists():
            continue
        lines.append(f"{stage.replace('_', '-')} -> {Path(bucket).resolve()}")
        lines += [f"  {sentence}" for sentence in read_json(path)["said"]]
        lines += [f"  {line}" for line in _failures(state_of(bucket) / "failed.jsonl")]
    lines += [f"  {rule}: {counts}" for rule, counts in sorted(_computed().items())]
    return "\n".join(lines)


def _failures(path: Path) -> list[str]:
    rows = list(read_table(path)) if path.exists() else []
    shown = [f"failed: {row['path']!r}: {row['reason']}" for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        shown.append(f"... and {len(rows) - SHOWN} more, listed in {path.resolve()}")
    return shown


def _computed() -> dict[str, str]:
    """Rule -> how many images this run's jobs of it computed."""
    counts: dict[str, list[int]] = {}
    for path in PROGRESS.glob("*.json"):
        job = read_json(path)
        rule = path.name.partition(".")[0]
        done, computed = counts.get(rule, [0, 0])
        counts[rule] = [done + job["done"], computed + job["computed"]]
    return {
        rule: f"{done} images looked at, {computed} computed"
        for rule, (done, computed) in counts.items()
    }
