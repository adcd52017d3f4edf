# Extract frames: makes images of frames of the videos.
#
# needs  .dtst/buckets/<frames>/inventory/<shard>.jsonl, the videos of a shard
# makes  the images with their sidecars in the target bucket; for every shard
#        .dtst/buckets/<frames>/frames/<shard>.jsonl and failed/<shard>.jsonl; when all are
#        done, summary.json and failed.jsonl


rule extract_frames:
    input:
        manifest=manifest("extract_frames"),
    output:
        table=PLAN.table("extract_frames"),
        failed=PLAN.failed("extract_frames"),
    log:
        PLAN.log("extract_frames", "extract_frames", "{shard}"),
    conda:
        "../../envs/frames.yaml"
    threads: workers("extract_frames", 1500)
    resources:
        mem_mb=lambda w, attempt, threads: 1500 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        bucket=PLAN.bucket("extract_frames"),
        version=param(version, "extract_frames"),
    message:
        "Extracting frames, shard {wildcards.shard}"
    script:
        "../../scripts/extract_frames.py"


use rule collect_faces as collect_frames with:
    input:
        tables=per_shard("extract_frames", rules.extract_frames.output.table),
        failed=per_shard("extract_frames", rules.extract_frames.output.failed),
        inventory=PLAN.inventory("extract_frames"),
    output:
        summary=report(
            PLAN.summary("extract_frames"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            PLAN.failures("extract_frames"),
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        PLAN.log("collect_frames", "extract_frames"),
    params:
        stage="extract_frames",
        bucket=PLAN.bucket("extract_frames"),
        strict=PLAN.strict,
        code=code_of("stages.collect", "stages.extract_frames"),
    message:
        "Collecting the frames of all shards"
