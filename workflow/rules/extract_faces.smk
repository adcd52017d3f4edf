# Extract faces: finds the faces of every image and writes an aligned crop of each.
#
# needs  the manifests of the images
# makes  the crops with their sidecars in the target bucket, a table of them for every
#        shard, and, when all are done, a summary

withdraw("extract_faces", str(state("extract_faces") / "faces/{part}.jsonl"))


rule extract_faces:
    input:
        manifest=manifest("extract_faces"),
    output:
        table=state("extract_faces") / "faces/{shard}.jsonl",
        failed=state("extract_faces") / "failed/{shard}.jsonl",
    log:
        f".dtst/logs/extract_faces/{bucket('extract_faces')}/{{shard}}.log",
    conda:
        "../../envs/faces.yaml"
    threads: config["extract_faces"]["workers"]
    resources:
        mem_mb=lambda w, attempt, threads: 1500 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        bucket=bucket("extract_faces"),
        options=options("extract_faces"),
        version=main_process(lambda w: version("extract_faces")),
    message:
        "Extracting faces, shard {wildcards.shard}"
    script:
        "../../scripts/extract_faces.py"


rule collect_faces:
    input:
        tables=per_shard("extract_faces", rules.extract_faces.output.table),
        failed=per_shard("extract_faces", rules.extract_faces.output.failed),
        inventory=lambda w: inventory_of("extract_faces"),
    output:
        summary=report(
            summary_of("extract_faces"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            state("extract_faces") / "failed.jsonl",
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        f".dtst/logs/collect_faces/{bucket('extract_faces')}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        # A million images with a crop each take 2000 MB (tests/benchmarks/wide.py).
        mem_mb=lambda w, attempt: 3000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        stage="extract_faces",
        bucket=bucket("extract_faces"),
        strict=config["strict"],
        code=code_version(collect_stage),
    message:
        "Collecting the faces of all shards"
    script:
        "../../scripts/collect.py"
