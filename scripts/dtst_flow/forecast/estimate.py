"""The arithmetic of forecasts: how long jobs take, on so many cores."""

import heapq
import math
from dataclasses import dataclass

from dtst_flow.forecast.costs import Rate
from dtst_flow.utils.quantities import duration, volume

LISTING = 5e-4
"""Seconds that Snakemake and the inventory take for one image more, roughly."""

PAIR = 7.5e-9
"""Seconds that clustering takes for each pair of images, as tests/benchmarks/clustering.py
has it."""

MEASURABLE = 1.0
"""Seconds from which on a measured time says more of how it grows than LISTING or PAIR."""


@dataclass(frozen=True)
class Estimate:
    """What a stage, or all of a run, will take.

    seconds  from begin to end
    cpu      seconds that its jobs take one after another, on all the cores they use
    disk     bytes added
    memory   bytes that its jobs hold at once, at most
    cores    that are used
    notes    how it is known
    """

    seconds: float
    cpu: float
    disk: float
    memory: float
    cores: int
    notes: tuple[str, ...] = ()


def at_once(cores: int, workers: int, one_gpu: bool) -> int:
    """How many jobs of so many workers run at the same time."""
    return 1 if one_gpu else max(1, cores // workers)


def schedule(shards: list[int], rate: Rate, workers: int, at_once: int) -> float:
    """Seconds until the jobs of all shards are done.

    shards  images to compute in each
    """
    lanes = [0.0] * at_once
    for images in sorted(shards, reverse=True):
        heapq.heapreplace(lanes, lanes[0] + rate.begin + images * rate.image / workers)
    return max(lanes)


def work(shards: list[int], rate: Rate, workers: int) -> float:
    """Seconds of all jobs' workers, one after another."""
    return sum(rate.begin * workers + images * rate.image for images in shards)


def evenly(images: int, shard_size: int) -> list[int]:
    """The images of each shard, of a bucket that is not there yet."""
    shards = 1
    while images > shards * shard_size:
        shards *= 2  # a shard that grows too large falls in two
    return [
        images * (i + 1) // shards - images * i // shards
        for i in range(min(shards, images))
    ]


def grown(
    seconds: float, measured: int, images: int, power: int, slope: float
) -> float:
    """Seconds for so many images of what took so many for those measured.

    power  of the number of images by which it grows
    slope  seconds that it takes more for one image, or pair, where what was measured is
           too little to tell
    """
    if measured and slope * measured**power > MEASURABLE:
        slope = seconds / measured**power
    return max(
        min(seconds, MEASURABLE),
        seconds + slope * (images**power - measured**power),
    )


def total(estimates: list[Estimate]) -> Estimate:
    """Of stages that follow one another."""
    return Estimate(
        sum(each.seconds for each in estimates),
        sum(each.cpu for each in estimates),
        sum(each.disk for each in estimates),
        max(each.memory for each in estimates),
        max(each.cores for each in estimates),
    )


def told(estimate: Estimate, free: float | None = None, elsewhere: bool = False) -> str:
    """An estimate in words.

    free       bytes free on the disk, to be told as well
    elsewhere  it runs on machines of which nothing is known
    """
    if elsewhere:
        return f"about {duration(estimate.cpu)} of CPU time" + _known(estimate)
    cores = f"{estimate.cores} core{'s' if estimate.cores > 1 else ''}"
    room = "" if free is None else f" ({volume(free)} free)"
    return (
        f"about {duration(estimate.seconds)} on {cores}, {volume(estimate.disk)} on "
        f"disk{room}, {volume(estimate.memory)} of memory{_known(estimate)}"
    )


def _known(estimate: Estimate) -> str:
    return f"; {', '.join(estimate.notes)}" if estimate.notes else ""


def warnings(estimate: Estimate, free: float, memory: float) -> list[str]:
    """What the machine has too little of, and what helps.

    free, memory  bytes that there are
    """
    told = []
    if estimate.disk > free:
        told.append(
            f"the disk is too small: {volume(estimate.disk)} are needed, {volume(free)} "
            "are free; make room, or use --link hard for clusters"
        )
    if estimate.memory > memory:
        told.append(
            f"memory may run out: about {volume(estimate.memory)} are needed, the "
            f"machine has {volume(memory)}; use fewer --cores or --workers"
        )
    return told


def on_disk(size: int, block: int = 4096) -> int:
    """The room that a file of so many bytes takes, in blocks."""
    return math.ceil(size / block) * block
