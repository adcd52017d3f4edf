# Inventory: lists the images of a stage's source and splits them into shards.
#
# needs  the files of the source; for a source that the stage before makes, its summary
# makes  a folder with a manifest for every shard, and the files passed over, with reasons


checkpoint inventory:
    input:
        lambda w: summary_of(maker(stage_of(w.bucket))),
    output:
        folder=directory(str(state_of("{bucket}") / "inventory")),
    log:
        ".dtst/logs/inventory/{bucket}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 120 * attempt,
    params:
        specs=lambda w: specs(stage_of(w.bucket)),
        fingerprint=main_process(lambda w: fingerprint(stage_of(w.bucket))),
        cache=lambda w: str(state_of(w.bucket) / inventory.DIGESTS),
        shard_size=config["shard_size"],
        sidecars=lambda w: stage_of(w.bucket) != "detect",
        max_file_size=lambda w: config[stage_of(w.bucket)]["max_file_size"],
        code=code_version(inventory),
    message:
        "Listing the images for {wildcards.bucket}"
    script:
        "../../scripts/inventory.py"
