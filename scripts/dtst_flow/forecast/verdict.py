"""The end of a run: what it cost is kept, and a forecast made for it is held against it."""

import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from dtst_flow.dataset.state import PROGRESS, STATE, state_of
from dtst_flow.forecast import costs
from dtst_flow.planning.plan import Plan
from dtst_flow.report.summary import summary
from dtst_flow.runtime.meter import SUFFIX
from dtst_flow.utils.files import digest_value, read_json, to_json, write_atomic
from dtst_flow.utils.quantities import duration

FORECAST = STATE / "forecast.json"
"""What the last dry run said."""

ALIKE = 0.05
"""A forecast that is off by less was right."""


@dataclass(frozen=True)
class Forecast:
    """What a dry run said.

    asked    names the command: `asked`
    images   rule -> images to compute, of the rules of which that is known for sure
    seconds  that the run takes
    """

    asked: str
    images: dict[str, int]
    seconds: float

    def write(self) -> None:
        """Keep it for the run."""
        write_atomic(FORECAST, to_json(asdict(self)))


def asked(path: str, settings: dict[str, dict], cores: int, gpu: bool) -> str:
    """Name a command by all of it that a forecast depends on.

    settings  stage -> all its settings, for the stages of the path
    """
    return digest_value([path, settings, cores, gpu])


@dataclass(frozen=True)
class Run:
    """A run at its end.

    Attributes:
        plan: What it was to do.
        cores: Those it could use.
        gpu: Whether its jobs asked for a GPU.
        seconds: That it took in all.
        finished: Whether it came to a good end.
    """

    plan: Plan
    cores: int
    gpu: bool
    seconds: float
    finished: bool


def record_run(run: Run) -> str:
    """Keep what a run cost; returns how long it took and how far off a forecast was."""
    settings = {stage.name: run.plan.settings[stage.name] for stage in run.plan.stages}
    buckets, gpu, cores = run.plan.buckets, run.gpu, run.cores
    dataset = os.path.realpath(".")
    notes = notes_of(PROGRESS)
    found, lasted = [], 0.0
    for rule, settled in of_rules(settings).items():
        if rule not in notes:
            continue
        lasted += span(notes[rule])
        workers = min(cores, settled.get("workers", 1) if rule != "cluster" else 1)
        depends = costs.depends(rule, settled, gpu)
        images = listed(buckets["cluster"]) if rule == "cluster" else 0
        found.append(
            costs.of_jobs(rule, depends, dataset, notes[rule], workers, images)
        )
    stages = [stage for stage in settings if _rule(stage) in notes]
    if run.finished and stages and _were_here(notes):
        images = max(listed(buckets[stage]) for stage in stages)
        found.append(costs.of_run(dataset, len(stages), run.seconds - lasted, images))
    with suppress(OSError):  # a cache that cannot be written fails no run
        costs.keep(filter(None, found))
    computed = {
        rule: sum(note["computed"] + note["failed"] for note in rows)
        for rule, rows in notes.items()
    }
    said = _take(asked(run.plan.path, settings, cores, gpu), computed)
    return took(run.seconds, said.seconds) if run.finished and said else ""


def closing_words(
    plan: Plan, cores: int, gpu: bool, before: dict[str, int] | None = None
) -> str:
    """Keep what a run cost; returns what it did, and how far off a forecast was.

    Args:
        plan: What it was to do.
        cores: Those it could use.
        gpu: Whether its jobs asked for a GPU.
        before: Of a run that did not come to a good end, what `written_at` gave when it
            began: only what was summed up since is told.
    """
    seconds = time.time() - psutil.Process().create_time()
    said = record_run(Run(plan, cores, gpu, seconds, finished=before is None))
    return "\n".join(filter(None, [summary(plan.buckets, before), said]))


def of_rules(settings: dict[str, dict]) -> dict[str, dict]:
    """Rule -> the settings of its stage, of the rules that work on images."""
    rules = {_rule(stage): values for stage, values in settings.items()}
    return rules | {k: v for k, v in settings.items() if k == "cluster"}


def _rule(stage: str) -> str:
    """The rule of a stage whose jobs compute image by image."""
    return "embed" if stage == "cluster" else stage


def _were_here(notes: dict[str, list[dict]]) -> bool:
    """Whether all jobs ran on this machine."""
    hosts = {note["host"] for rows in notes.values() for note in rows}
    return hosts == {platform.node()}


def notes_of(folder: Path) -> dict[str, list[dict]]:
    """Rule -> what its jobs noted, and how many of their images failed."""
    notes: dict[str, list[dict]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        rule = path.name.partition(".")[0]
        failed = read_json(path.with_suffix(".json"))["failed"]
        notes.setdefault(rule, []).append(read_json(path) | {"failed": failed})
    return notes


def span(notes: list[dict]) -> float:
    """Seconds from the begin of the first job to the end of the last."""
    return max(n["ended"] for n in notes) - min(n["began"] for n in notes)


def listed(bucket: str) -> int:
    """How many images the source of a bucket holds, by its inventory."""
    manifests = (state_of(bucket) / "inventory").glob("s*.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in manifests)


def _take(command: str, computed: dict[str, int]) -> Forecast | None:
    """The forecast of a run, if it was made for that and nothing has changed since.

    It is of no use to other runs, and goes.
    """
    try:
        said = Forecast(**read_json(FORECAST))
        FORECAST.unlink()
        known = {rule: computed.get(rule, 0) for rule in said.images}
        return said if (command, known) == (said.asked, said.images) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def took(seconds: float, said: float) -> str:
    """How long a run took, and how far off the forecast was."""
    off = round(100 * abs(said - seconds) / seconds)
    more = "more" if said > seconds else "less"
    told = f"{off} % {more}" if off > 100 * ALIKE else "about right"
    return f"took {duration(seconds)}; the forecast said {duration(said)} ({told})"
