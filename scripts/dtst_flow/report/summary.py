"""What a run did, as a JSON value and in plain words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dtst_flow.dataset.state import PROGRESS, state_of
from dtst_flow.runtime import events
from dtst_flow.runtime.meter import notes_of
from dtst_flow.runtime.progress import counts_of
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.files import read_json
from dtst_flow.utils.quantities import duration
from dtst_flow.utils.tables import read_table
from dtst_flow.utils.text import printable

MAX_SHOWN = 3
"""Failures that are shown; all are in the list that the summary names."""

Outcome = list[dict[str, Any]]
"""For each stage that was summed up: its command, what its summary holds, `path`, the
bucket's folder (None where it writes sidecars), `failures` ({path, reason} each) with the
`list` of them, and of this run the images `computed` and the `seconds` of its jobs."""


def written_at(buckets: dict[str, str]) -> dict[str, int]:
    """When the stages that have a summary wrote it, stage -> ns."""
    paths = {stage: _path(bucket) for stage, bucket in buckets.items()}
    return {s: path.stat().st_mtime_ns for s, path in paths.items() if path.exists()}


def outcome(
    buckets: dict[str, str], before: dict[str, int] | None = None, worked: bool = True
) -> Outcome:
    """Sum up a run from the files of its jobs, in the dataset's folder.

    Args:
        buckets: Stage -> the bucket it makes, in order; a hidden one is not a folder, its
            stage writes sidecars.
        before: What `written_at` returned when the run began, to leave out summaries that
            were not written since.
        worked: Whether any job ran; the files of jobs are those of an earlier run else.
    """
    work = _work() if worked else {}
    return [
        _of_stage(stage, buckets[stage], work)
        for stage, when in written_at(buckets).items()
        if not before or before.get(stage) != when
    ]


def _of_stage(
    stage: str, bucket: str, work: dict[str, dict[str, float]]
) -> dict[str, Any]:
    listed = state_of(bucket) / "failed.jsonl"
    rows = list(read_table(listed)) if listed.exists() else []
    rules = STAGES[stage].rules
    mine = [work[rule] for rule in rules if rule in work]
    return {
        "stage": stage.replace("_", "-"),
        "path": None if bucket.startswith(".") else str(Path(bucket).resolve()),
        **read_json(_path(bucket)),
        "failures": [{"path": row["path"], "reason": row["reason"]} for row in rows],
        "list": str(listed.resolve()) if rows else None,
        "computed": work.get(rules[0], {}).get("computed", 0),
        "seconds": round(sum(part["seconds"] for part in mine), 1),
    }


def sentences(outcome: Outcome) -> Iterator[str]:
    """Yield a run's outcome in lines, safe to be shown."""
    for stage in outcome:
        yield printable(f"{stage['stage']} -> {stage['path'] or 'sidecars'}")
        for sentence in stage["said"]:
            yield f"  {printable(sentence)}"
        for row in stage["failures"][:MAX_SHOWN]:
            yield printable(f"  failed: {row['path']!r}: {row['reason']}")
        more = len(stage["failures"]) - MAX_SHOWN
        if more > 0:
            yield f"  ... and {more} more, listed in {printable(stage['list'])}"
        if stage["seconds"]:
            took = duration(stage["seconds"])
            yield f"  {stage['computed']} {_counted(stage['stage'])} computed, in {took}"


def _counted(command: str) -> str:
    return STAGES[command.replace("-", "_")].reads.plural


def tell(
    buckets: dict[str, str], verdict: str = "", before: dict[str, int] | None = None
) -> None:
    """Print what a run did; a dtst that started it says it itself.

    Args:
        buckets: As for `outcome`.
        verdict: How long it took, and how far off its forecast was.
        before: As for `outcome`.
    """
    events.tell("said", text=verdict)
    if not events.are_wanted():
        lines = sentences(outcome(buckets, before))
        print(*lines, *filter(None, [verdict]), sep="\n")


def _path(bucket: str) -> Path:
    return state_of(bucket) / "summary.json"


def _work() -> dict[str, dict[str, float]]:
    """Of each rule's jobs in this run: images computed, and seconds from first to last."""
    counts = counts_of(PROGRESS)
    return {
        rule: {
            "computed": counts[rule]["computed"],
            "seconds": max(n["ended"] for n in notes) - min(n["began"] for n in notes),
        }
        for rule, notes in notes_of(PROGRESS).items()
    }
