"""What a run did, in plain words."""

from collections import Counter
from pathlib import Path

from dtst_flow.dataset.state import PROGRESS, state_of
from dtst_flow.utils.files import read_json, read_table
from dtst_flow.utils.text import printable

MAX_SHOWN = 3
"""Failures that are shown; all are in the list that the summary names."""


def written_at(buckets: dict[str, str]) -> dict[str, int]:
    """When the stages that have a summary wrote it, stage -> ns."""
    paths = {stage: _path(bucket) for stage, bucket in buckets.items()}
    return {s: path.stat().st_mtime_ns for s, path in paths.items() if path.exists()}


def summary(buckets: dict[str, str], before: dict[str, int] | None = None) -> str:
    """Sum up a run from the files of its jobs.

    Args:
        buckets: Stage -> the bucket it makes, in order; a hidden one is not a folder, its
            stage writes sidecars.
        before: What `written_at` returned when the run began, to leave out summaries that
            were not written since.
    """
    lines = []
    for stage, when in written_at(buckets).items():
        if before and before.get(stage) == when:
            continue
        bucket = buckets[stage]
        place = "sidecars" if bucket.startswith(".") else Path(bucket).resolve()
        lines.append(f"{stage.replace('_', '-')} -> {place}")
        lines += [f"  {sentence}" for sentence in read_json(_path(bucket))["said"]]
        lines += [f"  {line}" for line in _failures(state_of(bucket) / "failed.jsonl")]
    counts = _computed()
    if counts:
        lines.append(f"computed anew: {', '.join(counts)}")
    return "\n".join(map(printable, lines))


def _path(bucket: str) -> Path:
    return state_of(bucket) / "summary.json"


def _failures(path: Path) -> list[str]:
    rows = list(read_table(path)) if path.exists() else []
    shown = [f"failed: {row['path']!r}: {row['reason']}" for row in rows[:MAX_SHOWN]]
    if len(rows) > MAX_SHOWN:
        shown.append(
            f"... and {len(rows) - MAX_SHOWN} more, listed in {path.resolve()}"
        )
    return shown


def _computed() -> list[str]:
    """How many images this run's jobs computed, of those that they processed."""
    rules: dict[str, Counter[str]] = {}
    for path in sorted(PROGRESS.glob("*.json")):
        rule = path.name.partition(".")[0]
        rules.setdefault(rule, Counter()).update(read_json(path))
    return [
        f"{rule.replace('_', '-')} {counts['computed']} of {counts['total']} images"
        for rule, counts in rules.items()
        if rule != "cluster"  # which computes all or nothing, not image by image
    ]
