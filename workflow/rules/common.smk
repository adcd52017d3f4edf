# What the rules share: functions that compute names. Nothing here writes a file.

import functools
import importlib

from dtst_flow.cache.code_version import code_version
from dtst_flow.dataset import inventory
from dtst_flow.runtime import watchdog

watchdog.announce()

# Where dtst has a process that can be forked for jobs, they ask it.
FORKS = os.environ.get("DTST_JOBS")
if FORKS and workflow.is_main_process and not DEPLOYED:
    shell.prefix(FORKS)


def environment(name):
    """The conda environment of a rule that may run on a GPU."""
    return f"../../envs/{name}{'-cuda' if name in GPU else ''}.yaml"


def param(function, *values, in_jobs=False):
    """A param worked out where the DAG is built; in jobs again only where they need it."""
    return lambda wildcards: (
        planned(function, *values) if in_jobs or workflow.is_main_process else None
    )


def loaded(name):
    """A module of the package, which only those wait for who plan a job that needs it."""
    return importlib.import_module(f"dtst_flow.{name}")


def code_of(*modules):
    """A param: the code of some modules."""
    return param(lambda: code_version(*map(loaded, modules)))


def is_drawn(stage):
    """Whether nothing is to be run and nothing is listed: one shard stands for all."""
    return workflow.executor_plugin is None and not os.path.isdir(PLAN.inventory(stage))


def listed(stage):
    """The folder with a stage's manifests, once those before it have nothing to do.

    Snakemake sees no further than to the last checkpoint that is resolved; jobs need not.
    """
    before = PLAN.before(stage) if workflow.is_main_process else []
    for name in (*before, stage):
        folder = getattr(checkpoints, f"inventory_{name}").get().output.folder
        HINTS.are_listed(workflow.dag, name)
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
