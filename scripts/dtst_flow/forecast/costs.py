"""What runs on this machine have cost, kept so that later ones can be forecast.

The table lies in the user's cache: losing it loses forecasts, no results.
"""

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from dtst_flow.utils.files import to_json, write_table

RUN = "run"
"""The rule under which all of a run is kept that is not one of the RULES' jobs."""

RULES = {
    "extract_faces": ("engine", "search", "weights"),
    "detect": ("model", "weights"),
    "extract_classes": (),
    "embed": ("model", "clip_model", "weights"),
    "cluster": ("link",),
}
"""Rule -> the settings of its stage that its cost depends on."""

ROWS_KEPT = 5
"""Rows of one rule under the same circumstances that are kept, the last ones."""

ALL_KEPT = 2000
"""Rows kept in all."""

NUMBER = {int: int, float: (int, float)}
"""The type of a column -> those of what may stand there."""


@dataclass(frozen=True)
class Cost:
    """What the jobs of one rule cost in one run.

    rule      one of RULES, or RUN
    depends   JSON of what besides the images it depends on
    dataset   its folder, as images differ in size
    host      the machine
    jobs      how many
    timed     images whose computing was timed
    seconds   that these took in all, on one worker
    begun     seconds that all jobs took besides computing: to start, to load models
    memory    bytes of one job with its workers, at most
    images    of the bucket in all
    """

    rule: str
    depends: str
    dataset: str
    host: str
    jobs: int
    timed: int
    seconds: float
    begun: float
    memory: float
    images: int

    @property
    def key(self) -> tuple:
        """The circumstances under which it was measured."""
        return self.rule, self.depends, self.dataset, self.host


@dataclass(frozen=True)
class Rate:
    """What jobs of one rule are taken to cost.

    begin   seconds of a job besides computing
    image   seconds of one image on one worker
    memory  bytes of a job with its workers
    images  of the bucket where this was measured
    basis   how it is known, in a few words; empty where it was measured in runs
    """

    begin: float
    image: float
    memory: float
    images: int
    basis: str = ""


def depends(rule: str, settings: dict[str, Any], gpu: bool) -> str:
    """What a rule's cost depends on besides the images.

    settings  of its stage
    """
    values = {name: settings[name] for name in RULES[rule]}
    return to_json({**values, "gpu": gpu}).decode()


def of_jobs(
    rule: str,
    depends: str,
    dataset: str,
    notes: Iterable[dict],
    workers: int = 1,
    images: int = 0,
) -> Cost | None:
    """Sum up what jobs noted (`stages.meter`); None where that tells nothing.

    workers  of a job
    images   of the bucket
    """
    notes = [note for note in notes if note["host"] == platform.node()]
    if not notes:
        return None
    timed = sum(note["timed"] for note in notes)
    seconds = sum(note["seconds"] for note in notes)
    computed = sum(note["computed"] for note in notes)
    if computed and not timed:
        return None
    lasted = sum(note["ended"] - note["began"] for note in notes)
    lasted += len(notes) * gap(notes)
    image = seconds / timed if timed else 0.0
    return Cost(
        rule,
        depends,
        dataset,
        platform.node(),
        jobs=len(notes),
        timed=timed,
        seconds=seconds * workers,
        begun=max(0.0, lasted - computed * image),
        memory=max(note["memory"] + workers * note["worker"] for note in notes),
        images=images,
    )


def gap(notes: list[dict]) -> float:
    """Seconds that a job waited for its turn after one had ended; 0 where none had to."""
    began = sorted(note["began"] for note in notes)
    ended = sorted(note["ended"] for note in notes)
    at_once = max(
        sum(note["began"] <= moment < note["ended"] for note in notes)
        for moment in began
    )
    gaps = [b - e for b, e in zip(began[at_once:], ended, strict=False)]
    return max(0.0, sum(gaps) / len(gaps)) if gaps else 0.0


def of_run(dataset: str, stages: int, seconds: float, images: int) -> Cost:
    """What a run cost besides the jobs that noted it, as if its stages were jobs.

    images  of the largest source
    """
    begun = max(0.0, seconds)
    return Cost(RUN, "", dataset, platform.node(), stages, 0, 0.0, begun, 0, images)


def rate(costs: list[Cost], basis: str = "") -> Rate:
    """What to expect after such costs; of the images in a bucket, the last's count."""
    timed = sum(cost.timed for cost in costs)
    return Rate(
        begin=sum(cost.begun for cost in costs) / sum(cost.jobs for cost in costs),
        image=sum(cost.seconds for cost in costs) / timed if timed else 0.0,
        memory=max(cost.memory for cost in costs),
        images=costs[-1].images,
        basis=basis,
    )


def file() -> Path:
    """Where the table lies."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "dtst-flow" / "costs.jsonl"


def read() -> list[Cost]:
    """All that is kept, the oldest first; lines that hold no row are passed over."""
    try:
        lines = file().read_bytes().splitlines()
    except OSError:
        return []
    return [cost for cost in map(_cost, lines) if cost]


def keep(new: Iterable[Cost]) -> None:
    """Add to what is kept, and let go of the oldest."""
    seen: Counter[tuple] = Counter()
    kept = []
    for cost in reversed([*read(), *new]):
        seen[cost.key] += 1
        if seen[cost.key] <= ROWS_KEPT:
            kept.append(cost)
    write_table(file(), map(asdict, reversed(kept[:ALL_KEPT])))


def past(
    costs: list[Cost], rule: str, depends: str, dataset: str | None = None
) -> list[Cost]:
    """Those of this machine under the same circumstances.

    dataset  of this one only; None for any
    """
    return [
        cost
        for cost in costs
        if (cost.rule, cost.depends, cost.host) == (rule, depends, platform.node())
        and dataset in (None, cost.dataset)
    ]


def _cost(line: bytes) -> Cost | None:
    """The row that a line holds, if any."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    wanted = {field.name: NUMBER.get(field.type, field.type) for field in fields(Cost)}
    if not isinstance(row, dict) or row.keys() != wanted.keys():
        return None
    if not all(isinstance(row[name], kind) for name, kind in wanted.items()):
        return None
    return Cost(**row) if row["jobs"] > 0 else None
