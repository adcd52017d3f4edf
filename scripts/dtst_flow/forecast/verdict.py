"""The end of a run: keep what it cost, and compare that with the forecast made for it."""

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.dataset.state import PROGRESS
from dtst_flow.forecast import costs
from dtst_flow.forecast.costs import Cost
from dtst_flow.planning.plan import Plan
from dtst_flow.runtime.meter import Note, notes_of
from dtst_flow.utils import files, tables
from dtst_flow.utils.quantities import duration


@dataclass(frozen=True)
class Run:
    """A run at its end.

    Attributes:
        plan: What it was to do.
        cores: Those it could use.
        gpu: The rules whose jobs asked for a GPU.
        seconds: How long it took.
        finished: Whether it came to a good end.
    """

    plan: Plan
    cores: int
    gpu: frozenset[str]
    seconds: float
    finished: bool


def name_of(plan: Plan, cores: int, gpu: frozenset[str], images: int) -> str:
    """Name a run by all that its forecast depends on, and what its first stage computes."""
    settings = {stage.name: plan.settings[stage.name] for stage in plan.stages}
    return files.digest_value([plan.path, settings, cores, sorted(gpu), images])


def forecast_file() -> Path:
    """Return where the last forecast for the current folder is kept."""
    dataset = files.digest(os.fsencode(os.path.realpath(".")))
    return costs.file().parent / "forecasts" / f"{dataset}.json"


def keep_forecast(name: str, seconds: float) -> None:
    """Keep how long a run will take."""
    with suppress(OSError):  # a cache that cannot be written fails no dry run
        files.write_atomic(forecast_file(), files.to_json([name, seconds]))


def record_run(run: Run) -> str:
    """Keep what a run cost; returns how long it took and how far off its forecast was."""
    notes = notes_of(PROGRESS)
    with suppress(OSError):  # a cache that cannot be written fails no run
        costs.keep(_costs(run, notes))
    first = notes.get(run.plan.stages[0].rule, [])
    images = sum(note["computed"] + note["failed"] for note in first)
    with suppress(OSError, ValueError, TypeError, RecursionError):
        name, seconds = files.read_json(forecast_file())
        forecast_file().unlink()
        if run.finished and name == name_of(run.plan, run.cores, run.gpu, images):
            return took(run.seconds, seconds)
    return ""


def _costs(run: Run, notes: dict[str, list[Note]]) -> Iterator[Cost]:
    """Yield what the jobs of each rule cost, and the run around them."""
    stages, around, most = 0, run.seconds, 0
    for stage in run.plan.stages:
        settings = run.plan.settings[stage.name]
        manifests = Path(run.plan.inventory(stage.name)).glob("s*.jsonl")
        images = sum(
            len(lines) for path in manifests for lines in tables.pieces_of(path)
        )
        ran = stage.cost_keys.keys() & notes.keys()
        stages, most = stages + bool(ran), max(most, images * bool(ran))
        for rule in ran:
            jobs = notes[rule]
            shared = 1 if rule in run.gpu else max(1, run.cores // len(jobs))
            workers = min(run.cores, settings.get("workers") or shared)
            around -= max(n["ended"] for n in jobs) - min(n["began"] for n in jobs)
            key = costs.key_of(stage, rule, settings, rule in run.gpu)
            if cost := costs.of_jobs(key, images, jobs, workers):
                yield cost
    hosts = {note["host"] for jobs in notes.values() for note in jobs}
    if run.finished and hosts == {platform.node()}:
        yield Cost(costs.RUN, most, stages, max(0.0, around) / stages, 0.0, 0.0)


def took(seconds: float, forecast: float) -> str:
    """Tell how long a run took, and how far off the forecast was: 5 % are right."""
    off = round(100 * abs(forecast - seconds) / seconds)
    more = "more" if forecast > seconds else "less"
    how = f"{off} % {more}" if off > 5 else "about right"
    return f"took {duration(seconds)}; the forecast said {duration(forecast)} ({how})"
