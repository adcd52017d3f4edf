"""How long a run will take, and how much disk and memory, from what runs here have cost.

Where this machine never ran a stage on the dataset, the stage is tried on a few images.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dtst_flow.dataset import inventory
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.forecast import costs, estimate
from dtst_flow.forecast.costs import Rate
from dtst_flow.forecast.crop_stats import Made, made
from dtst_flow.forecast.estimate import Estimate
from dtst_flow.forecast.trial import TRIAL_IMAGES, Trial, Trials
from dtst_flow.forecast.verdict import FORECAST, Forecast, asked

RECORD = 500
"""Bytes of what is kept of one image, roughly."""

EMBEDDING = 3400
"""Those of an embedding of 512 numbers."""

JOB = 1.0
"""Seconds that a job takes to start, roughly."""

CUTTING = Rate(begin=1.0, image=0.02, memory=100e6, images=0, basis="guessed")
"""What cutting boxes out costs, roughly, where a trial found none to cut."""

CLUSTERING = Rate(begin=3.0, image=0.002, memory=250e6, images=0, basis="guessed")
"""What clustering a few images costs, roughly, where it was never measured."""


@dataclass(frozen=True)
class Counted:
    """What a stage would do.

    settings  all of the stage's
    said      the same in words
    files     of its source, with sidecars: path -> bytes
    todo      the images to compute
    """

    stage: str
    settings: dict[str, Any]
    said: str
    files: dict[str, int] = field(default_factory=dict)
    todo: list[str] = field(default_factory=list)

    @property
    def rule(self) -> str:
        """The rule that works on its images."""
        return "embed" if self.stage == "cluster" else self.stage

    @property
    def images(self) -> list[str]:
        """Paths of all images of its source."""
        return [path for path in self.files if not path.endswith(".json")]


@dataclass(frozen=True)
class Setup:
    """Where and how a run would take place.

    planning   seconds that Snakemake took to plan it
    elsewhere  on machines of which nothing is known
    """

    cores: int
    gpu: bool
    shard_size: int
    planning: float
    elsewhere: bool = False


@dataclass(frozen=True)
class Coming:
    """What the stage before will change in a stage's source.

    images    about how many it will put there
    size      bytes of each, with its sidecar
    replaced  those there that some of these will replace
    """

    images: int = 0
    size: float = 0.0
    replaced: frozenset[str] = frozenset()


def outlook(path: str, counted: list[Counted], setup: Setup) -> Iterator[str]:
    """Yield what the stages of a path would do and, line by line, what that takes.

    To be called in the dataset's folder. Keeps what it said, for the end of the run.
    """
    FORECAST.unlink(missing_ok=True)
    free = shutil.disk_usage(".").free
    alone = len(counted) == 1
    estimates, sure, all_known = [], {}, True
    with Trials(setup.gpu) as trials:
        planner = Planner(counted, setup, trials)
        coming = Coming()
        for stage in counted:
            yield f"{stage.stage.replace('_', '-')}: {stage.said}{_more(stage, coming)}"
            found = planner.estimate(stage, coming)
            if found:
                room = free if alone else None
                yield f"  {estimate.told(found, room, setup.elsewhere)}"
                estimates.append(found)
            elif stage.todo or coming.images:
                yield "  how long is not known: a trial on a few images told nothing"
                all_known = False
            if not coming.images:
                sure[stage.rule] = len(stage.todo)
            coming = planner.coming(stage, coming)
    if not estimates or not all_known:
        return
    whole = estimate.total(estimates)
    if not alone:
        yield f"together {estimate.told(whole, free, setup.elsewhere)}"
    if setup.elsewhere:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield from estimate.warnings(whole, free, memory)
    settings = {stage.stage: stage.settings for stage in counted}
    command = asked(path, settings, setup.cores, setup.gpu)
    Forecast(command, sure, whole.seconds).write()


def _more(stage: Counted, coming: Coming) -> str:
    if not coming.images:
        return ""
    return f"; about {coming.images} {'new or changed' if stage.files else 'to come'}"


class Planner:
    """Knows what stages cost: from runs on this machine, or by trying."""

    def __init__(self, counted: list[Counted], setup: Setup, trials: Trials):
        self.counted = counted
        self.setup = setup
        self.trials = trials
        self.dataset = os.path.realpath(".")
        self.known = costs.read()
        self._tried: dict[str, Trial | None] = {}

    def estimate(self, stage: Counted, coming: Coming) -> Estimate | None:
        """What a stage will take; None if it has nothing to compute, or nobody knows."""
        if not stage.todo and not coming.images:
            return None
        rate = self._rate(stage)
        if rate is None:
            return None
        setup = self.setup
        workers = min(setup.cores, stage.settings.get("workers", 1))
        on_gpu = setup.gpu and stage.rule in ("embed", "detect")
        shards = self._shards(stage, coming)
        jobs = min(estimate.at_once(setup.cores, workers, on_gpu), len(shards))
        images = len(set(stage.images) - coming.replaced) + coming.images
        found = Estimate(
            seconds=self._around(images)
            + estimate.schedule(shards, rate, workers, jobs),
            cpu=estimate.work(shards, rate, workers),
            disk=self._disk(stage, coming),
            memory=rate.memory * jobs,
            cores=min(setup.cores, jobs * workers),
            notes=(rate.basis,) if rate.basis else (),
        )
        return self._clustered(found, images) if stage.stage == "cluster" else found

    def coming(self, stage: Counted, coming: Coming) -> Coming:
        """What the stage will change in the source of the one that comes after."""
        images = len(stage.todo) + coming.images
        if stage.stage == "detect":
            return Coming(images, replaced=frozenset(stage.todo))
        if stage.stage == "cluster" or not images:
            return Coming()
        made = self._made(stage)
        old = {crop for path in stage.todo for crop in made.crops.get(path, ())}
        return Coming(round(images * made.each), made.size, frozenset(old))

    def _shards(self, stage: Counted, coming: Coming) -> list[int]:
        """How many images each job will compute."""
        size = self.setup.shard_size
        todo = set(stage.todo) - coming.replaced
        if coming.images:
            return estimate.evenly(len(todo) + coming.images, size)
        shards = inventory.split(stage.images, size).values()
        return [count for s in shards if (count := len(todo.intersection(s)))]

    def _rate(self, stage: Counted) -> Rate | None:
        depends = costs.depends(stage.rule, stage.settings, self.setup.gpu)
        past = costs.past(self.known, stage.rule, depends, self.dataset)
        if past:
            return costs.rate(past)
        tried = self._try(stage)
        if tried is None:
            return CUTTING if stage.stage == "extract_classes" else None
        return costs.rate([tried.cost], f"calibrated on {tried.images} images")

    def _try(self, stage: Counted) -> Trial | None:
        """Try a stage; for one whose source is not there yet, those before it, too."""
        if stage.stage not in self._tried:
            at = self.counted.index(stage)
            if not stage.images and at:
                self._try(self.counted[at - 1])
            images = stage.todo if len(stage.todo) >= TRIAL_IMAGES else stage.images
            by_size = sorted(images, key=stage.files.__getitem__)
            self._tried[stage.stage] = self.trials.run(
                stage.stage, stage.settings, by_size
            )
        return self._tried[stage.stage]

    def _around(self, images: int) -> float:
        """Seconds of Snakemake, the inventory and what else a stage has around its jobs."""
        past = costs.past(self.known, costs.RUN, "")
        if not past:
            begin = self.setup.planning / len(self.counted) + 2 * JOB
            return estimate.grown(begin, 0, images, 1, estimate.LISTING)
        rate = costs.rate(past[-costs.ROWS_KEPT :])
        return estimate.grown(rate.begin, rate.images, images, 1, estimate.LISTING)

    def _clustered(self, found: Estimate, images: int) -> Estimate:
        """An estimate of embedding with that of clustering added, and laying out."""
        stage = self.counted[-1]
        depends = costs.depends("cluster", stage.settings, self.setup.gpu)
        past = costs.past(self.known, "cluster", depends)
        nearest = min(past, key=lambda c: abs(c.images - images), default=None)
        rate = costs.rate([nearest]) if nearest else CLUSTERING
        seconds = estimate.grown(rate.begin, rate.images, images, 2, estimate.PAIR)
        seconds += images * rate.image
        notes = list(found.notes)
        if rate.basis:
            notes.append("clustering guessed")
        elif not rate.images / 2 < images < rate.images * 2:
            notes.append(f"clustering scaled from {rate.images} images")
        return replace(
            found,
            seconds=found.seconds + seconds,
            cpu=found.cpu + seconds,
            memory=max(found.memory, rate.memory),
            notes=tuple(notes),
        )

    def _made(self, stage: Counted) -> Made:
        """What the last run of a stage made, or a trial."""
        there = made(stage.stage, stage.settings["to"])
        if there.crops:
            return there
        tried = self._tried.get(stage.stage)
        if tried and tried.crops:
            return replace(
                there,
                each=len(tried.crops) / tried.images,
                size=sum(map(estimate.on_disk, tried.crops)) / len(tried.crops),
            )
        return there

    def _disk(self, stage: Counted, coming: Coming) -> float:
        """Bytes that a stage adds: records, crops or what is laid out."""
        images = len(stage.todo) + coming.images
        records = images * (EMBEDDING if stage.stage == "cluster" else RECORD)
        if stage.stage == "detect":  # beside each image a sidecar, and a note of it
            return records + 2 * images * estimate.on_disk(1)
        if stage.stage != "cluster":
            found = self._made(stage)
            new = images - sum(path in found.crops for path in stage.todo)
            return records + new * found.each * found.size
        folder = Path(stage.settings["to"])
        owned = Ledgers(folder, state_of(folder)).owned().values()
        there = sum(row.size for row in owned if isinstance(row, Entry))
        laid_out = {
            path: size
            for path, size in stage.files.items()
            if stage.settings["link"] == "copy" or path.endswith(".json")
        }
        room = sum(map(estimate.on_disk, laid_out.values())) - there
        if stage.settings["link"] == "copy":
            room += (coming.images - len(coming.replaced)) * coming.size
        return records + max(0.0, room)
