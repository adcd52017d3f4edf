# What the rules share: functions that compute names. Nothing here writes a file.

import functools

from dtst_flow.cache.code_version import code_version
from dtst_flow.dataset import inventory
from dtst_flow.planning import staleness
from dtst_flow.runtime import watchdog

watchdog.announce()

version = functools.cache(functools.partial(staleness.stage_version, PLAN))


def environment(name):
    """The conda environment of a rule that may run on a GPU."""
    return f"../../envs/{name}{'-cuda' if GPU else ''}.yaml"


def in_main(function, *values):
    """A param worked out where the DAG is built, and not again inside of jobs."""
    return lambda wildcards: (
        planned(function, *values) if workflow.is_main_process else None
    )


@functools.cache
def force_stale():
    """Have what vouches for files that were since edited or deleted made again."""
    stale = staleness.stale_files(PLAN)
    workflow.dag.forcefiles.update(stale.files)
    if workflow.dryrun and stale.said:
        print(*stale.said, sep="\n", file=sys.stderr)


def is_drawn(stage):
    """Whether nothing is to be run and nothing is listed: one shard stands for all."""
    return workflow.executor_plugin is None and not os.path.isdir(PLAN.inventory(stage))


def listed(stage):
    """The folder with a stage's manifests, those of the stages before it first.

    Snakemake sees no further than to the last checkpoint that is resolved: so a stage
    is resolved when those before it are, and have nothing to do.
    """
    for name in (*PLAN.before(stage), stage):
        folder = getattr(checkpoints, f"inventory_{name}").get().output.folder
    return folder


def manifest(stage):
    """Input function: the manifest of a job's shard."""
    return lambda wildcards: (
        PLAN.inventory(stage)
        if is_drawn(stage)
        else f"{listed(stage)}/{wildcards.shard}.jsonl"
    )


def per_shard(stage, pattern):
    """Input function: one file for every shard of a stage."""
    return lambda wildcards: expand(
        pattern, shard=["s"] if is_drawn(stage) else inventory.shards(listed(stage))
    )


wildcard_constraints:
    shard="s[01]*",
