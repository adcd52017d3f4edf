# What the rules share. A path is a row of stages; the bucket that one stage makes is the
# source of the next. A stage's state lies in .dtst/buckets/<the bucket it makes>.

import functools
import re
import shutil
import sys
from dataclasses import fields
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from dtst_flow import code, embed, faces, inventory, models
from dtst_flow.ledger import Ledgers
from dtst_flow.stages.cluster import Options as ClusterOptions
from dtst_flow.stages.cluster import settle
from dtst_flow.stages.extract_classes import Options as ClassesOptions
from dtst_flow.stages.extract_faces import Options as FacesOptions
from dtst_flow.stages.job import PROGRESS, state_of
from dtst_flow.summary import summary

PATHS = {
    "faces": ["extract_faces", "cluster"],
    "images": ["cluster"],
    "extract-faces": ["extract_faces"],
    "extract-classes": ["extract_classes"],
    "cluster": ["cluster"],
}
OPTIONS = {
    "extract_faces": FacesOptions,
    "extract_classes": ClassesOptions,
    "cluster": ClusterOptions,
}
# Of the stages that run a model: the room it is in, the setting that chooses it.
KINDS = {"extract_faces": ("faces", "engine"), "cluster": ("embed", "model")}
STAGES = PATHS[config["path"]]
BUCKETS = {stage: config[stage]["to"] for stage in STAGES}
config["cluster"] = settle(config["cluster"], config["path"])
DATASET = Path(config["root"]).expanduser().resolve() / config["dataset"]

for stage in STAGES:
    if config[stage].get("weights") is not None:
        config[stage]["weights"] = str(Path(config[stage]["weights"]).resolve())


def bucket(stage):
    """The bucket that a stage makes; a name of its own where it does not take part."""
    return BUCKETS.get(stage, f"no-{stage}")


def state(stage):
    return state_of(bucket(stage))


def summary_of(stage):
    """The file by which a stage tells that its bucket is complete; [] for no stage."""
    return str(state(stage) / "summary.json") if stage else []


def options(stage):
    """The settings of a stage that its results depend on."""
    return {field.name: config[stage][field.name] for field in fields(OPTIONS[stage])}


def registered(stage):
    """The name in the registry of the model that a stage runs."""
    if stage == "extract_faces":
        return faces.MODELS[config[stage]["engine"]]
    return embed.registered(config[stage])


def maker(stage):
    """The stage before this one, which makes its source; None for the first."""
    at = STAGES.index(stage)
    return STAGES[at - 1] if at else None


def specs(stage):
    """The source of a stage, as bucket specs."""
    given = config[stage]["from"]
    if given is None:
        if maker(stage) is None:
            raise WorkflowError(f"{stage} needs a source: --from, or {stage}: from")
        given = bucket(maker(stage))
    try:
        parsed = inventory.parse_specs(given)
        inventory.check_apart(parsed, bucket(stage))
    except inventory.BadBucket as error:
        raise WorkflowError(str(error)) from error
    return parsed


def main_process(value):
    """A param worked out once, where the DAG is built, and not again inside of jobs."""
    return lambda wildcards: value(wildcards) if workflow.is_main_process else None


@functools.cache
def version(stage):
    """All that a stage's results depend on besides its source."""
    depends = {"options": options(stage), "code": [code.version(f"stages.{stage}")]}
    if stage not in KINDS:
        return depends
    kind, chosen = KINDS[stage]
    try:
        weights = models.resolve(registered(stage), config[stage]["weights"])
    except models.ModelError as error:
        raise WorkflowError(str(error)) from error
    depends["weights"] = weights.digest
    depends["code"].append(code.version(f"{kind}.{config[stage][chosen]}"))
    return depends


@functools.cache
def fingerprint(stage):
    """Changes when a source does, by anybody's hand, or what the stages before make of it.

    Snakemake does not look past a checkpoint whose own params and inputs are unchanged,
    so the params of the stages before a checkpoint are among its own.
    """
    if not DATASET.is_dir():
        raise WorkflowError(f"there is no dataset folder {DATASET}")
    ours, before = frozenset(), None
    if maker(stage):
        # The files that the stage before writes are announced by its summary.
        made = bucket(maker(stage))
        owned = Ledgers(made, state_of(made)).owned()
        ours = frozenset(f"{made}/{path}{x}" for path in owned for x in ("", ".json"))
        before = [fingerprint(maker(stage)), version(maker(stage)), config["strict"]]
    try:
        listing = inventory.scan(".", [s for s in specs(stage) if exists(s, stage)])
    except inventory.BadBucket as error:
        raise WorkflowError(str(error)) from error
    for each in STAGES:
        version(each)  # a missing model is told before any job runs
    return [inventory.fingerprint(listing, ours), before]


def exists(spec, stage):
    """Whether a spec can be scanned yet: a bucket to be made may not be there."""
    return Path(spec).exists() or not (maker(stage) and spec == bucket(maker(stage)))


def stage_of(name):
    return next(stage for stage, made in BUCKETS.items() if made == name)


def manifest(stage):
    """Input function: the manifest of a job's shard."""
    return lambda wildcards: f"{inventory_of(stage)}/{wildcards.shard}.jsonl"


def inventory_of(stage):
    return checkpoints.inventory.get(bucket=bucket(stage)).output.folder


def per_shard(stage, pattern):
    """Input function: one file for every shard of a stage."""
    return lambda wildcards: expand(
        pattern, shard=inventory.shards(inventory_of(stage))
    )


def withdraw(stage, table=None):
    """Delete what vouches for files that were since edited or deleted.

    Snakemake sees then which jobs have to restore them: those that make the stage's
    summary, the damaged shard's table where it has one, and what comes after; of that,
    the inventory alone would not do, as a missing file between others is not missed.
    """
    locks = Path(".snakemake/locks")
    if stage not in STAGES or not workflow.is_main_process or not DATASET.is_dir():
        return
    if locks.is_dir() and any(locks.iterdir()):
        return  # a run is at work; its files are no damage
    for part in Ledgers(bucket(stage), state(stage)).damaged_parts():
        Path(summary_of(stage)).unlink(missing_ok=True)
        if table:
            Path(table.format(part=part)).unlink(missing_ok=True)
        for later in STAGES[STAGES.index(stage) + 1 :]:
            Path(summary_of(later)).unlink(missing_ok=True)
            shutil.rmtree(state(later) / "inventory", ignore_errors=True)


wildcard_constraints:
    bucket="|".join(map(re.escape, BUCKETS.values())),
    shard="s[01]*",
