# Inventory: lists the images of a stage's source and splits them into shards; a checkpoint
# for every stage.
#
# needs  the files of the source; for one that the stage before makes, its summary
# makes  .dtst/buckets/<bucket>/inventory/: a manifest <shard>.jsonl for every shard, and
#        skipped.table, the files that were skipped, with reasons; beside it names.jsonl,
#        the names that images were given, which they keep

from dtst_flow.stages.registry import STAGES

for stage in STAGES:

    checkpoint:
        name:
            f"inventory_{stage}"
        input:
            sources(stage),
        output:
            folder=directory(PLAN.inventory(stage)),
        log:
            PLAN.log("inventory", stage),
        conda:
            "../../envs/base.yaml"
        threads: 1
        resources:
            mem_mb=lambda w, attempt: 2000 * attempt,
            runtime=lambda w, attempt: 120 * attempt,
        params:
            stage=stage,
            listing=param(PLAN.listing, stage, config["shard_size"], in_jobs=True),
            fingerprint=param(fingerprint, stage),
            code=code_of("stages.listing"),
        message:
            f"Listing the images for {stage}"
        script:
            "../../scripts/inventory.py"
