"""How long a run will take, and how much disk and memory, from what runs here have cost.

Where this machine never ran a stage on the dataset, the stage is tried on a few images.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.scan import Listing
from dtst_flow.dataset.state import state_of
from dtst_flow.forecast import costs, verdict
from dtst_flow.forecast.costs import Cost
from dtst_flow.forecast.trial import TRIAL_IMAGES, try_stage
from dtst_flow.planning.pending import StageWork, count
from dtst_flow.planning.plan import Plan
from dtst_flow.planning.staleness import stale_files
from dtst_flow.stages.crops import CropStats
from dtst_flow.utils.quantities import duration, volume

AROUND = Cost(costs.RUN, 0, 1, begin=4.0, image=0.0, memory=0.0)
"""What a stage costs around its jobs, roughly: 2 s to plan, and two jobs more."""

CUTTING = Cost("", 0, 1, begin=1.0, image=0.02, memory=100e6, note="guessed")
"""What a stage without a model costs, roughly, where a trial had nothing to do."""

CLUSTERING = Cost("", 0, 1, 3.0, image=2e-3, memory=250e6, note="clustering guessed")
"""What clustering a few images costs, roughly, where it was never measured."""

JOB, LISTING, PAIR, MEASURABLE = 1.0, 5e-4, 7.5e-9, 1.0
"""Seconds until the next job starts when one has ended; around the jobs for one image more;
of clustering for a pair of images, as tests/benchmarks/clustering.py measures it; and from
which on a measured time says more than those of an image or pair."""

RECORD, EMBEDDING = 500, 3400
"""Bytes of what is kept of an image, roughly, and of one that is embedded."""


@dataclass(frozen=True)
class Setup:
    """Where and how a run would take place.

    Attributes:
        cores: Those that it may use; None on machines of which nothing is known.
        gpu: The rules whose jobs ask for a GPU.
        shard_size: Images that a job works on, at most.
    """

    cores: int | None
    gpu: frozenset[str]
    shard_size: int


@dataclass(frozen=True)
class Estimate:
    """What a stage, or all of a run, will take.

    Attributes:
        seconds: From begin to end.
        disk: Bytes added.
        memory: Bytes that its jobs hold at once, at most.
        cores: Those that are used.
        notes: How it is known.
    """

    seconds: float
    disk: float
    memory: float
    cores: int
    notes: tuple[str, ...] = ()

    def __add__(self, later: "Estimate") -> "Estimate":
        """Return that of both, one after the other."""
        return Estimate(
            self.seconds + later.seconds,
            self.disk + later.disk,
            max(self.memory, later.memory),
            max(self.cores, later.cores),
            self.notes + later.notes,
        )


def forecast(plan: Plan, setup: Setup, listing: Listing) -> Iterator[str]:
    """Yield what a run would do and, line by line, what that takes.

    Called in the dataset's folder, where nothing is written.

    Args:
        plan: What is to be run.
        setup: Where and how.
        listing: The source of its first stage.

    Raises:
        ModelError: A model is missing.
        WouldFail: The run would fail.
    """
    yield from stale_files(plan).said
    free = shutil.disk_usage(".").free
    first, *later = plan.stages
    works = [count(plan, first, listing), *(count(plan, stage) for stage in later)]
    estimates: list[Estimate | None] = []
    before, crops = None, CropStats({})
    with TemporaryDirectory(prefix="dtst-trial-") as folder:
        for now in works:
            work = now.after(before, crops) if before else now
            said, *more = work.said.split("\n")
            yield f"{work.stage.command}: {said}"
            yield from (f"  {line}" for line in more)
            before = work if work.todo else None
            if work.todo:
                cost, crops = _look_up(now, setup, Path(folder))
                one = _estimate(work, cost, crops, setup) if cost else None
                estimates.append(one)
                yield f"  {told(one, setup.cores, None if works[1:] else free)}"
    known = [one for one in estimates if one]
    if not known or None in estimates:
        return
    whole = replace(sum(known[1:], known[0]), notes=())
    if works[1:]:
        yield f"together {told(whole, setup.cores, free)}"
    if setup.cores:
        yield from warnings(whole, free, psutil.virtual_memory().total)
        todo = len(works[0].todo)
        name = verdict.name_of(plan, setup.cores, setup.gpu, todo)
        verdict.keep_forecast(name, whole.seconds)


def _look_up(
    work: StageWork, setup: Setup, folder: Path
) -> tuple[Cost | None, CropStats]:
    """Return what a stage costs, if runs or a trial in a folder tell, and its crops.

    Where the last run left no crops, those of the trial stand for them.
    """
    stage, settings = work.stage, work.settings
    tables = state_of(settings.get("to", "")) / stage.table
    crops = CropStats.of_tables(tables.glob("*.jsonl") if stage.makes_crops else ())
    on_gpu = stage.rule in setup.gpu
    cost = costs.read().get(costs.key_of(stage, stage.rule, settings, on_gpu))
    if cost:
        return cost, crops
    images = work.todo if len(work.todo) >= TRIAL_IMAGES else work.images
    by_size = sorted(images, key=work.files.__getitem__)
    trial = try_stage(stage, settings, by_size, on_gpu, folder)
    if not trial:
        return None if stage.models(settings) else CUTTING, crops
    return trial[0], crops if crops.crops else replace(trial[1], crops={})


def _estimate(work: StageWork, cost: Cost, crops: CropStats, setup: Setup) -> Estimate:
    """Return what a stage that has something to do will take."""
    cores = setup.cores or 1
    on_gpu = work.stage.rule in setup.gpu
    todo, images = len(work.todo), len(work.images)
    halvings = math.ceil(math.log2(max(1, images / setup.shard_size)))
    shards = min(todo, 2**halvings)
    shared = 1 if on_gpu else max(1, cores // shards)
    workers = min(cores, work.settings.get("workers") or shared)
    jobs = min(shards, 1 if on_gpu else max(1, cores // workers))
    turns = math.ceil(shards / jobs)
    job = cost.begin + todo / shards * cost.image / workers
    seconds, memory = turns * job + (turns - 1) * JOB, jobs * cost.memory
    if setup.cores:
        around = costs.read().get(costs.RUN, AROUND)
        seconds += _grown(around, images, 1, LISTING)
    disk, notes = _disk(work, crops), (cost.note,)
    estimate = Estimate(seconds, disk, memory, jobs * workers, notes)
    for rule in work.stage.cost_keys.keys() - {work.stage.rule}:
        key = costs.key_of(work.stage, rule, work.settings, rule in setup.gpu)
        estimate += _clustering(costs.read().get(key, CLUSTERING), images)
    return estimate


def _clustering(cost: Cost, images: int) -> Estimate:
    """Return what it takes to work on all images of a bucket at once."""
    scaled = not cost.images / 2 < images < cost.images * 2
    note = f"clustering scaled from {cost.images} images" if scaled else ""
    seconds = _grown(cost, images, 2, PAIR) + images * cost.image
    return Estimate(seconds, 0.0, cost.memory, 1, (cost.note or note,))


def _grown(cost: Cost, images: int, power: int, slope: float) -> float:
    """Return the seconds that a job begins with, where it has so many images.

    They grow by a power of the images; where those measured are too few to tell how much,
    by `slope` for each image, or pair.
    """
    measured: float = cost.images**power
    if slope * measured > MEASURABLE:
        slope = cost.begin / measured
    more: float = slope * (images**power - measured)
    return max(min(cost.begin, MEASURABLE), cost.begin + more)


def _disk(work: StageWork, crops: CropStats) -> float:
    """Return the bytes that a stage adds: records, crops or what is laid out."""
    todo = len(work.todo)
    if not work.stage.makes_bucket:  # beside each image a sidecar, and a note of it
        return todo * (RECORD + 2 * on_disk(1))
    if work.stage.makes_crops:
        new = sum(path not in crops.crops for path in work.todo)
        return todo * RECORD + new * crops.per_image * on_disk(crops.size)
    bucket, copies = work.settings["to"], work.settings["link"] == "copy"
    there = Ledgers(bucket, state_of(bucket)).size()
    paths = (path for path in work.files if copies or path.endswith(".json"))
    room = sum(on_disk(work.files[path]) for path in paths)
    return todo * EMBEDDING + max(0, room - there)


def on_disk(size: float, block: int = 4096) -> int:
    """Return the room that a file of so many bytes takes, in blocks."""
    return math.ceil(size / block) * block


def told(estimate: Estimate | None, cores: int | None, free: float | None) -> str:
    """Put an estimate in words, with the bytes `free` on the disk where they are given.

    Without `cores` it is for machines of which nothing is known: only the work is told.
    """
    if estimate is None:
        return "how long is not known: a trial on a few images told nothing"
    notes = ", ".join(filter(None, estimate.notes))
    known = f"; {notes}" if notes else ""
    if not cores:
        return f"about {duration(estimate.seconds)} of CPU time{known}"
    used = f"{estimate.cores} core{'s' if estimate.cores > 1 else ''}"
    room = "" if free is None else f" ({volume(free)} free)"
    return (
        f"about {duration(estimate.seconds)} on {used}, {volume(estimate.disk)} on "
        f"disk{room}, {volume(estimate.memory)} of memory{known}"
    )


def warnings(estimate: Estimate, free: float, memory: float) -> Iterator[str]:
    """Yield what a machine with so many bytes has too little of, and what helps."""
    if estimate.disk > free:
        yield (
            f"the disk is too small: {volume(estimate.disk)} are needed, {volume(free)} "
            "are free; make room, or use --link hard for clusters"
        )
    if estimate.memory > memory:
        yield (
            f"memory may run out: about {volume(estimate.memory)} are needed, the "
            f"machine has {volume(memory)}; use fewer --cores or --workers"
        )
