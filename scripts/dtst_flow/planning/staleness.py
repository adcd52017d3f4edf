"""What of the results is stale, worked out in the dataset folder. Nothing here writes."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtst_flow.cache.code_version import code_version
from dtst_flow.dataset import digests, inventory
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError
from dtst_flow.planning.broken import (
    all_shards,
    broken,
    broken_vocabulary,
    is_dated_ahead,
)
from dtst_flow.planning.plan import Plan, PlanError
from dtst_flow.runtime import run_lock
from dtst_flow.stages import by_hand
from dtst_flow.stages.contract import Stage
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.folders import folders_below

METADATA = Path(".snakemake/metadata")
"""Where Snakemake keeps how each file was made."""


def stage_version(plan: Plan, stage: str) -> dict[str, Any]:
    """Return all that a stage's results depend on besides its source.

    Returns:
        {options, code, weights}: the settings, the digest of the code, and those of the
        models.

    Raises:
        PlanError: A model is missing.
    """
    kind, settings = STAGES[stage], plan.settings[stage]
    try:
        weights = store.resolve_all(kind.models(settings))
        modules = kind.code(settings)
    except ModelError as error:
        raise PlanError(str(error)) from error
    return {
        "options": plan.options(stage),
        "code": code_version(sys.modules[kind.run.__module__], *modules),
        "weights": [model.digest for model in weights],
    }


@dataclass(frozen=True)
class Stale:
    """What has to be made again though Snakemake sees no reason.

    Attributes:
        files: Outputs of rules, as the rules name them.
        said: Why, a sentence for each stage concerned.
    """

    files: list[str]
    said: list[str]


def stale_files(plan: Plan) -> Stale:
    """Work out which outputs vouch for files that were edited or deleted since.

    These are the tables of damaged shards, the summaries of their stage and of those
    after it, and the lists that are made of what is restored. While a run is at work its
    files are no damage.
    """
    if not plan.dataset.is_dir() or run_lock.is_locked("."):
        return Stale([], [])
    vocabulary = broken_vocabulary(plan)
    files, said = list(vocabulary), _name_broken(vocabulary)
    for stage in plan.stages:
        stale = _stale_of(plan, stage)
        files += stale.files
        said += stale.said
    if is_forgotten():
        return Stale(_existing([*files, *_all_outputs(plan)]), _known_no_more(plan))
    return Stale(_existing(files), said)


def _stale_of(plan: Plan, stage: Stage) -> Stale:
    """What of a stage is stale, and so of those after it."""
    unusable, bucket = broken(plan, stage), plan.bucket(stage.name)
    damaged, ahead = stage.damaged_shards(bucket), is_dated_ahead(plan, stage)
    shards = all_shards(plan, stage) if ahead else sorted({*unusable.tables, *damaged})
    listed = _is_listed(plan, stage) and not unusable.lists and not ahead
    if not shards and listed and not unusable.sums and _is_whole(plan, stage):
        return Stale([], [])
    after = plan.stages[plan.stages.index(stage) + 1 :]
    files = [plan.table(stage.name, shard) for shard in shards]
    files += [plan.summary(other.name) for other in (stage, *after)]
    files += [
        plan.inventory(other.name) for other in (after if listed else (stage, *after))
    ]
    said = _damage(stage, bucket, damaged)
    if ahead:
        said.append(
            f"{stage.command}: files in {plan.state(stage.name)} are dated ahead of the "
            "clock, so that all of its results are checked"
        )
    return Stale(files, said + _name_broken(unusable.files))


def is_forgotten() -> bool:
    """Whether Snakemake lost all knowledge of how results were made.

    It would take them for current whatever became of settings and sources since.
    """
    return not any(METADATA.glob("*"))


def forgotten_files(plan: Plan) -> list[Path]:
    """Return what vouches for work done in buckets that no stage of a plan makes.

    They have to go when Snakemake's knowledge begins again with a run of this plan.
    """
    if not is_forgotten():
        return []
    ours = {plan.state(stage.name) for stage in plan.stages}
    buckets = state_of(".")
    vouching = [
        folder if name == "skipped.table" else folder / name
        for folder in folders_below(buckets)
        for name in ("summary.json", "vocabulary.json", "skipped.table")
        if (folder / name).exists()
    ]
    return [path for path in vouching if path.parent not in ours]


def _all_outputs(plan: Plan) -> list[str]:
    """What tells Snakemake of work done."""
    names = [stage.name for stage in plan.stages]
    files = [
        made for name in names for made in (plan.summary(name), plan.inventory(name))
    ]
    return _existing([*files, str(plan.state("detect") / "vocabulary.json")])


def _known_no_more(plan: Plan) -> list[str]:
    if not any(os.path.exists(plan.summary(stage.name)) for stage in plan.stages):
        return []
    return ["Snakemake's notes (.snakemake) are gone, so that all results are checked"]


def _is_listed(plan: Plan, stage: Stage) -> bool:
    """Whether a stage's inventory knows the images' contents, and no file of it is mended."""
    cache = plan.state(stage.name) / digests.FILE
    folder = plan.inventory(stage.name)
    mended = os.path.isdir(folder) and inventory.is_mended(folder)
    return cache.exists() and not mended


def _is_whole(plan: Plan, stage: Stage) -> bool:
    """Whether no job of a stage has failed since it was last summed up.

    What a job makes is deleted when it fails, and so not missed where a summary from
    before exists.
    """
    folder = plan.inventory(stage.name)
    return (
        os.path.exists(plan.summary(stage.name))
        and os.path.isdir(folder)
        and all(
            os.path.exists(plan.table(stage.name, shard))
            for shard in inventory.shards(folder)
        )
    )


def _existing(files: list[str]) -> list[str]:
    """Those of the files that exist: what does not is missed anyway."""
    return sorted({file for file in files if os.path.exists(file)})


def _name_broken(files: list[str]) -> list[str]:
    """Name state that cannot be used, in a sentence."""
    if not files:
        return []
    if len(files) == 1:
        fault = "not as dtst writes it" if os.path.exists(files[0]) else "missing"
        return [f"{files[0]} is {fault}, and is made again"]
    more = f"{len(files) - 1} more"
    return [f"{files[0]} and {more} are not as dtst writes them, and are made again"]


def _damage(stage: Stage, bucket: str, shards: list[str]) -> list[str]:
    """What the user did to results of a stage, in a sentence."""
    if not shards:
        return []
    if not stage.makes_bucket:
        return [
            f"{stage.command}: sidecars were edited or deleted since; to be checked"
        ]
    if by_hand.PART in shards:
        return [f"{stage.command}: what was done by hand in {bucket} was adopted"]
    ledgers = Ledgers(bucket, state_of(bucket))
    parts = [*shards, "all"] if "all" in shards else shards
    damaged = [
        row.path
        for part in sorted(set(parts))
        for row in ledgers.rows(part).values()
        if not ledgers.intact(row)
    ]
    if not damaged:
        return [f"{stage.command}: a run before did not come to its end"]
    count = "1 file" if len(damaged) == 1 else f"{len(damaged)} files"
    verb = "was" if len(damaged) == 1 else "were"
    # Who moved or deleted it may have meant something.
    kept = ", or kept by `dtst labels adopt`" if stage.name == "cluster" else ""
    return [
        f"{stage.command}: {count} in {bucket} {verb} edited or deleted since, first "
        f"{min(damaged)!r}; to be restored{kept}"
    ]
