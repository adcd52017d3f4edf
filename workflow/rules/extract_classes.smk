# Extract classes: cuts the boxes that the images' sidecars hold out of the images.
#
# needs  the manifests of the images; their sidecars, whoever wrote them
# makes  the crops with their sidecars in the target bucket, a table of them for every
#        shard, and, when all are done, a summary

withdraw("extract_classes", str(state("extract_classes") / "classes/{part}.jsonl"))


rule extract_classes:
    input:
        manifest=manifest("extract_classes"),
    output:
        table=state("extract_classes") / "classes/{shard}.jsonl",
        failed=state("extract_classes") / "failed/{shard}.jsonl",
    log:
        f".dtst/logs/extract_classes/{bucket('extract_classes')}/{{shard}}.log",
    conda:
        "../../envs/base.yaml"
    threads: config["extract_classes"]["workers"]
    resources:
        mem_mb=lambda w, attempt, threads: 1500 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        bucket=bucket("extract_classes"),
        options=options("extract_classes"),
        version=main_process(lambda w: version("extract_classes")),
    message:
        "Extracting classes, shard {wildcards.shard}"
    script:
        "../../scripts/extract_classes.py"


use rule collect_faces as collect_classes with:
    input:
        tables=per_shard("extract_classes", rules.extract_classes.output.table),
        failed=per_shard("extract_classes", rules.extract_classes.output.failed),
        inventory=lambda w: inventory_of("extract_classes"),
    output:
        summary=report(
            summary_of("extract_classes"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            state("extract_classes") / "failed.jsonl",
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        f".dtst/logs/collect_classes/{bucket('extract_classes')}.log",
    params:
        stage="extract_classes",
        bucket=bucket("extract_classes"),
        strict=config["strict"],
        code=code_version(collect_stage),
    message:
        "Collecting the crops of all shards"
