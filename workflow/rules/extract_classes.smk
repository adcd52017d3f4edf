# Extract classes: cuts the boxes that the images' sidecars hold out of the images.
#
# needs  .dtst/buckets/<crops>/inventory/<shard>.jsonl, the images of a shard; their
#        sidecars, whoever wrote them
# makes  the crops with their sidecars in the target bucket; for every shard
#        .dtst/buckets/<crops>/classes/<shard>.jsonl and failed/<shard>.jsonl; when all are
#        done, summary.json and failed.jsonl


rule extract_classes:
    input:
        manifest=manifest("extract_classes"),
    output:
        table=PLAN.table("extract_classes"),
        failed=PLAN.failed("extract_classes"),
    log:
        PLAN.log("extract_classes", "extract_classes", "{shard}"),
    conda:
        "../../envs/classes.yaml"
    threads: workers("extract_classes", 1500)
    resources:
        mem_mb=lambda w, attempt, threads: 1500 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        bucket=PLAN.bucket("extract_classes"),
        version=param(version, "extract_classes"),
    message:
        "Extracting classes, shard {wildcards.shard}"
    script:
        "../../scripts/extract_classes.py"


use rule collect_faces as collect_classes with:
    input:
        tables=per_shard("extract_classes", rules.extract_classes.output.table),
        failed=per_shard("extract_classes", rules.extract_classes.output.failed),
        inventory=PLAN.inventory("extract_classes"),
    output:
        summary=report(
            PLAN.summary("extract_classes"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            PLAN.failures("extract_classes"),
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        PLAN.log("collect_classes", "extract_classes"),
    params:
        stage="extract_classes",
        bucket=PLAN.bucket("extract_classes"),
        strict=PLAN.strict,
        code=code_of("stages.collect", "stages.extract_classes"),
    message:
        "Collecting the crops of all shards"
