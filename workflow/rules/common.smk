# What the rules share. A path is a row of stages; the bucket that one stage makes is the
# source of the next. A stage's state lies in .dtst/buckets/<the bucket it makes>.

import functools
import os
import re
import shutil
import time
from dataclasses import fields
from pathlib import Path

import psutil
from snakemake.exceptions import WorkflowError

# Jobs run in the dataset's folder; what lies there is data, no modules to import.
os.environ.update(PYTHONSAFEPATH="1")

from dtst_flow.annotations.boxes import parse_classes
from dtst_flow.cache.code_version import code_version
from dtst_flow.cluster import constraints
from dtst_flow.dataset import inventory, scan
from dtst_flow.dataset.containment import (
    BadBucket,
    check_no_escape,
    check_target,
    is_relative,
)
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import PROGRESS, STATE, StateGone, make_state, state_of
from dtst_flow.detect import detectors
from dtst_flow.detect import vocabulary as detect_vocabulary
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.forecast import verdict
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError
from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults
from dtst_flow.report import page, place
from dtst_flow.report.summary import summary, written_at
from dtst_flow.runtime import run_lock, watchdog
from dtst_flow.runtime.failures import healed_parts
from dtst_flow.runtime.scheduling import one_look_ahead
from dtst_flow.stages import cluster as cluster_stage
from dtst_flow.stages import collect as collect_stage
from dtst_flow.stages import detect as detect_stage
from dtst_flow.stages import embed as embed_stage
from dtst_flow.stages import extract_classes as classes_stage
from dtst_flow.stages import extract_faces as faces_stage
from dtst_flow.utils import gpu

MODULES = {
    "extract_faces": faces_stage,
    "detect": detect_stage,
    "extract_classes": classes_stage,
    "cluster": cluster_stage,
}
OPTIONS = {stage: module.Options for stage, module in MODULES.items()}
STAGES = PIPELINES[config["path"]]
config.update(resolve_defaults(config["path"], config))
# detect makes no bucket, it writes sidecars; no folder can bear that name.
BUCKETS = {stage: config[stage].get("to", f".{stage}") for stage in STAGES}
# Only the process that starts the run may look for a GPU; on a node it is told by the
# environment, as profiles are, which see no config.
if config["gpu"] is not None:
    GPU = int(config["gpu"])
elif workflow.is_main_process:
    GPU = int(gpu.count() > 0)
else:
    GPU = int(os.environ.get("DTST_GPU", 0))
os.environ.update(DTST_GPU=str(GPU))
if not is_relative(config["dataset"]):
    raise WorkflowError(f"dataset {config['dataset']!r} is no folder below root")
ROOT = os.path.realpath(os.path.expanduser(config["root"]))
DATASET = Path(ROOT) / config["dataset"]
SUMMED_UP = {}
"""The summaries from before this run, as `written_at` gives them."""

watchdog.announce()
if config["container"] and "://" not in config["container"]:
    config["container"] = str(Path(config["container"]).resolve())
if workflow.is_main_process:
    try:
        make_state(DATASET)
    except StateGone as error:
        raise WorkflowError(str(error)) from error
for stage in STAGES:
    if config[stage].get("weights") is not None:
        config[stage]["weights"] = os.path.realpath(config[stage]["weights"])


def bucket(stage):
    """The bucket that a stage makes; a name of its own where it does not take part."""
    return BUCKETS.get(stage, f"no-{stage}")


try:
    for stage in STAGES:
        if "to" in config[stage]:
            check_target(bucket(stage))
            check_no_escape(DATASET, bucket(stage))
        # The state itself may be a link of the user's, to another disk.
        below = state_of(bucket(stage)).relative_to(STATE)
        check_no_escape(DATASET / STATE, str(below))
except BadBucket as error:
    raise WorkflowError(str(error)) from error


def state(stage):
    return state_of(bucket(stage))


def environment(name):
    """The conda environment of a rule that may run on a GPU."""
    return f"../../envs/{name}{'-cuda' if GPU else ''}.yaml"


def summary_of(stage):
    """The file by which a stage tells that its bucket is complete; [] for no stage."""
    return str(state(stage) / "summary.json") if stage else []


def summaries(wildcards):
    """Input function: the summaries of all stages, the last of which has to cluster."""
    if "cluster" not in STAGES:
        raise WorkflowError(f"path {config['path']} makes no clusters to report on")
    return [summary_of(stage) for stage in STAGES]


def options(stage, kind=None):
    """The settings of a stage that its results depend on; or of a kind of its own."""
    names = [field.name for field in fields(kind or OPTIONS[stage])]
    return {name: config[stage][name] for name in names}


def runs(stage):
    """What a stage runs: a module of the package and, by their names in the registry,
    the models, each with the file to use instead. None where it runs none.
    """
    settings = config[stage]
    own = settings.get("weights")
    if stage == "extract_faces":
        engine = settings["engine"]
        return engines.module_of(engine), {engines.MODELS[engine]: own}
    if stage == "cluster":
        return embedders.module_of(settings["model"]), {embedders.registered(settings): own}
    if stage == "detect" and not settings["clear"]:
        kind = detectors.MODELS[settings["model"]]
        text = {} if own or kind.text is None else {kind.text: None}
        return detect_vocabulary, {kind.weights: own} | text
    return None


def maker(stage):
    """The stage before this one, which makes its source; None for the first."""
    at = STAGES.index(stage)
    return STAGES[at - 1] if at else None


def specs(stage):
    """The source of a stage, as bucket specs."""
    if config[stage]["from"] is None:
        raise WorkflowError(f"{stage} needs a source: --from, or {stage}: from")
    try:
        parsed = scan.parse_specs(config[stage]["from"])
        if "to" in config[stage]:
            scan.check_apart(parsed, bucket(stage))
    except BadBucket as error:
        raise WorkflowError(str(error)) from error
    return parsed


def main_process(value):
    """A param worked out once, where the DAG is built, and not again inside of jobs."""
    return lambda wildcards: value(wildcards) if workflow.is_main_process else None


@functools.cache
def version(stage):
    """All that a stage's results depend on besides its source."""
    depends = {"options": options(stage), "code": [code_version(MODULES[stage])]}
    try:
        room, wanted = runs(stage) or (None, {})
        found = store.resolve_all(wanted)
    except ModelError as error:
        raise WorkflowError(str(error)) from error
    if room:
        depends["code"].append(code_version(room))
        depends["weights"] = [weights.digest for weights in found]
    return depends


@functools.cache
def fingerprint(stage):
    """Changes when a source does, by anybody's hand, or what the stages before make of it.

    Snakemake does not look past a checkpoint whose own params and inputs are unchanged,
    so the params of the stages before a checkpoint are among its own.
    """
    if not DATASET.is_dir():
        raise WorkflowError(f"there is no dataset folder {DATASET}")
    before = None
    if maker(stage):
        before = [fingerprint(maker(stage)), version(maker(stage)), config["strict"]]
    try:
        there = [spec for spec in specs(stage) if exists(spec, stage)]
        listing = scan.scan(
            ".", there, config[stage]["max_file_size"], config[stage].get("to")
        )
    except BadBucket as error:
        raise WorkflowError(str(error)) from error
    for each in STAGES:
        version(each)  # a missing model is told before any job runs
    return [scan.fingerprint(listing, announced(stage, listing)), before]


def announced(stage, listing):
    """Files in a stage's source of which a summary tells when they change."""
    if "detect" in (stage, maker(stage)):
        return frozenset(path for path in listing.files if path.endswith(".json"))
    if maker(stage) is None:
        return frozenset()
    made = bucket(maker(stage))
    owned = Ledgers(made, state_of(made)).paths()
    return frozenset(f"{made}/{path}{x}" for path in owned for x in ("", ".json"))


def exists(spec, stage):
    """Whether a spec can be scanned yet: a bucket to be made may not be there."""
    return os.path.exists(spec) or not (maker(stage) and spec == bucket(maker(stage)))


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


def withdraw(stage, table):
    """Delete what vouches for files that were since edited or deleted, or never made, or
    for images that failed for a reason which is no more.

    table  of the stage's jobs, as a pattern

    Snakemake sees then which jobs have to restore them: those that make the stage's
    summary, the damaged shard's table, and what comes after; of that, the inventory alone
    would not do, as a missing file between others is not missed. The inventory goes, too,
    once a job found that it does not know the images' contents.
    """
    if stage not in STAGES or not workflow.is_main_process or not DATASET.is_dir():
        return
    if run_lock.is_locked("."):
        return  # a run is at work; its files are no damage
    if not any(Path(".snakemake").glob("metadata/*")):
        forget()
    parts = damaged(stage)
    certain = (state(stage) / inventory.DIGESTS).exists()
    certain = certain and not inventory.is_mended(state(stage) / "inventory")
    if not parts and certain and is_whole(stage, table):
        return
    later = STAGES[STAGES.index(stage) + 1 :]
    for part in parts:
        Path(table.format(part=part)).unlink(missing_ok=True)
    for each in (stage, *later):
        Path(summary_of(each)).unlink(missing_ok=True)
    for each in later if certain else (stage, *later):
        shutil.rmtree(state(each) / "inventory", ignore_errors=True)


def is_whole(stage, table):
    """Whether no job of a stage has failed since it was last summed up.

    What a job makes is deleted when it fails, and so not missed where a summary from
    before is there.
    """
    folder = state(stage) / "inventory"
    return (
        Path(summary_of(stage)).exists()
        and folder.is_dir()
        and all(Path(table.format(part=s)).exists() for s in inventory.shards(folder))
    )


def forget():
    """Delete what tells Snakemake of work done, as it lost all knowledge of how.

    It would take results for current whatever became of settings and sources since. Of
    all buckets, since that knowledge begins anew with whichever run comes first.
    """
    buckets = state_of(".")
    for name in ("summary.json", "vocabulary.json"):
        for path in buckets.rglob(name):
            path.unlink()
    for path in list(buckets.rglob("inventory/skipped.table")):
        shutil.rmtree(path.parent)


def damaged(stage):
    """The parts of a stage's results that were edited or deleted since, or failed for a
    reason that is no more.
    """
    if stage == "detect":
        return detect_stage.damaged_parts(state(stage))
    edited = Ledgers(bucket(stage), state(stage)).damaged_parts()
    return sorted({*edited, *healed_parts(state(stage))})


def reckon(finished):
    """Keep what the run cost; say how far off a forecast of it was, if there was any."""
    said = verdict.reckon(
        config["path"],
        {stage: config[stage] for stage in STAGES},
        BUCKETS,
        workflow.cores,
        bool(GPU),
        time.time() - psutil.Process().create_time(),
        finished,
    )
    if said:
        print(said)


def labels_file():
    """What the user knows of the clusters, if anything."""
    path = Path(bucket("cluster")) / constraints.FILE
    return [str(path)] if path.exists() else []


wildcard_constraints:
    bucket="|".join(map(re.escape, BUCKETS.values())),
    shard="s[01]*",
