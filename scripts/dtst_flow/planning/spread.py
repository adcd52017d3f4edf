"""How many processors a job uses, so that few jobs also keep all cores busy."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PER_THREAD = 20_000
"""Images for which a cluster is asked for one thread more; two group 50,000 in 13 seconds."""

MOST_THREADS = 32
"""Those that nodes of a cluster have."""


def workers(shard: str, shards: Sequence[str], cores: int, most: int) -> int:
    """Share cores out among the jobs of a stage.

    Where there are fewer jobs than cores, each gets its share, and the first of them one
    core more until none is left.

    Args:
        shard: The job's shard.
        shards: Those of all jobs, in order.
        cores: How many cores the run may use.
        most: How many processes of one job the memory holds.

    Returns:
        The number of processes, 1 at least.
    """
    share, rest = divmod(cores, len(shards))
    return max(1, min(share + (shards.index(shard) < rest), most))


def in_memory(megabytes: int) -> int:
    """Return how many processes of so many megabytes this machine's memory holds.

    All cores may be busy at once, whichever jobs they belong to, so the whole memory
    counts, and for a control group (a container, a SLURM job) its limit.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    with suppress(OSError, ValueError):  # there is none, or the word "max"
        total = min(total, int(limit.read_text()))
    return int(total / 1e6 / megabytes)


def grouping_threads(images: int) -> int:
    """Return how many threads to ask a cluster for, to group so many images.

    On a machine of one's own that job is the last one, and has all cores.
    """
    return max(1, min(round(images / PER_THREAD), MOST_THREADS))


def grouping_memory(images: int, threads: int) -> int:
    """Return the megabytes that grouping so many images may take.

    It took 440 for 20,000 faces, 1,630 for 100,000 and 2,590 for 200,000, in two threads.
    """
    return round(1000 + images / 50 + 60 * threads)
