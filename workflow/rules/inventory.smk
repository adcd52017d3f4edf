# Inventory: lists the images of a stage's source and splits them into shards; a checkpoint
# for every stage.
#
# needs  the files of the source; for one that the stage before makes, its summary
# makes  .dtst/buckets/<bucket>/inventory/: a manifest <shard>.jsonl for every shard, and
#        skipped.table, the files that were skipped, with reasons

from dtst_flow.stages.registry import STAGES


def listing(stage):
    """Param: what to list, and how."""
    return lambda wildcards: planned(PLAN.listing, stage, config["shard_size"])


def fingerprint(stage):
    """The state of a stage's source; a missing model of any stage is told here, too."""
    for other in PLAN.stages:
        version(other.name)
    return staleness.source_fingerprint(PLAN, stage)


def sources(stage):
    """Input function: what must exist before a stage's source can be listed."""

    def summaries(wildcards):
        if workflow.is_main_process:
            planned(force_stale)
        return PLAN.summary_before(stage)

    return summaries


for stage in STAGES:

    checkpoint:
        name:
            f"inventory_{stage}"
        input:
            sources(stage),
        output:
            folder=directory(PLAN.inventory(stage)),
        log:
            PLAN.log("inventory", stage, ".log"),
        conda:
            "../../envs/base.yaml"
        threads: 1
        resources:
            mem_mb=lambda w, attempt: 2000 * attempt,
            runtime=lambda w, attempt: 120 * attempt,
        params:
            listing=listing(stage),
            fingerprint=in_main(fingerprint, stage),
            code=code_version(inventory),
        message:
            f"Listing the images for {stage}"
        script:
            "../../scripts/inventory.py"
