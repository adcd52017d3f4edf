# Extract faces: finds the faces of every image and writes an aligned crop of each.
#
# needs  .dtst/buckets/<faces>/inventory/<shard>.jsonl, the images of a shard
# makes  the crops with their sidecars in the target bucket; for every shard
#        .dtst/buckets/<faces>/faces/<shard>.jsonl and failed/<shard>.jsonl; when all are
#        done, summary.json and failed.jsonl


rule extract_faces:
    input:
        manifest=manifest("extract_faces"),
    output:
        table=PLAN.table("extract_faces"),
        failed=PLAN.failed("extract_faces"),
    log:
        PLAN.log("extract_faces", "extract_faces", "{shard}"),
    conda:
        "../../envs/faces.yaml"
    threads: workers("extract_faces", 1500)
    resources:
        mem_mb=lambda w, attempt, threads: 1500 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        bucket=PLAN.bucket("extract_faces"),
        version=param(version, "extract_faces"),
    message:
        "Extracting faces, shard {wildcards.shard}"
    script:
        "../../scripts/extract_faces.py"


rule collect_faces:
    input:
        tables=per_shard("extract_faces", rules.extract_faces.output.table),
        failed=per_shard("extract_faces", rules.extract_faces.output.failed),
        inventory=PLAN.inventory("extract_faces"),
    output:
        summary=report(
            PLAN.summary("extract_faces"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            PLAN.failures("extract_faces"),
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        PLAN.log("collect_faces", "extract_faces"),
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        # A million images with a crop each take 750 MB (tests/benchmarks/wide.py).
        mem_mb=lambda w, attempt: 1500 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        stage="extract_faces",
        bucket=PLAN.bucket("extract_faces"),
        strict=PLAN.strict,
        code=code_of("stages.collect", "stages.extract_faces"),
    message:
        "Collecting the faces of all shards"
    script:
        "../../scripts/collect.py"
