"""What runs on this machine have cost, kept so that later ones can be forecast.

The table is in the user's cache: losing it loses forecasts, no results.
"""

import json
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from dtst_flow.runtime.meter import Note
from dtst_flow.stages.contract import Settings, Stage
from dtst_flow.utils.files import read_bytes, to_json
from dtst_flow.utils.folders import user_cache
from dtst_flow.utils.tables import write_table

RUN = f"run on {platform.node()}"
"""The key of what a stage costs around the jobs that note their own costs."""

ROWS_KEPT = 2000
"""Rows in the table, those that a run changed last."""


@dataclass(frozen=True)
class Cost:
    """What a job costs, as the mean of all jobs of a rule.

    Attributes:
        key: The circumstances under which that was measured, as `key_of` names them.
        images: Images of the bucket in all.
        timed: Images whose computing was timed, by which it weighs in a mean.
        begin: Seconds of a job besides computing: to start, to load models.
        image: Seconds of one image on one worker.
        memory: Bytes of a job with its workers, at most.
        note: How this is known; empty where it was measured in runs.
    """

    key: str
    images: int
    timed: float
    begin: float
    image: float
    memory: float
    note: str = ""


def key_of(stage: Stage, rule: str, settings: Settings, gpu: bool) -> str:
    """Name all that the cost of one of a stage's rules depends on in the current folder."""
    values = {name: settings[name] for name in stage.cost_keys[rule]}
    folder = os.path.realpath(".")  # as the images of datasets differ in size
    return to_json([rule, values, gpu, folder, platform.node()]).decode()


def of_jobs(key: str, images: int, notes: list[Note], workers: int = 1) -> Cost | None:
    """Return the mean of what jobs of `workers` each noted, if that tells anything."""
    notes = [note for note in notes if note["host"] == platform.node()]
    timed = sum(note["timed"] for note in notes)
    if not timed:
        return None
    image = sum(note["seconds"] for note in notes) / timed
    lasted = fmean(note["ended"] - note["began"] for note in notes)
    computing = fmean(note["computed"] for note in notes) * image
    memory = max(note["memory"] + workers * note["worker"] for note in notes)
    begin, image = max(0.0, lasted - computing), image * workers
    return Cost(key, images, timed, begin, image, memory)


def file() -> Path:
    """Return where the table is."""
    return user_cache() / "costs.jsonl"


def read() -> dict[str, Cost]:
    """Read what is kept by its keys; lines that hold no row are skipped."""
    kept = {}
    with suppress(OSError):
        for line in read_bytes(file()).splitlines():
            with suppress(ValueError, TypeError, RecursionError):
                cost = Cost(**json.loads(line))
                numbers = (cost.images, cost.begin, cost.image, cost.memory)
                if cost.timed > 0 and min(numbers) >= 0:
                    kept[cost.key] = cost
    return kept


def keep(new: Iterable[Cost]) -> None:
    """Add what a run cost to the mean, where that before counts half. Raises OSError."""
    kept = read()
    for cost in new:
        old = kept.pop(cost.key, replace(cost, timed=0))
        timed = old.timed / 2 + cost.timed
        share = cost.timed / timed
        kept[cost.key] = replace(
            cost,
            timed=timed,
            begin=old.begin + share * (cost.begin - old.begin),
            image=old.image + share * (cost.image - old.image),
            memory=max(old.memory, cost.memory),
        )
    write_table(file(), map(asdict, list(kept.values())[-ROWS_KEPT:]))
