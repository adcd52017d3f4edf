# Detect: looks for classes of objects in the images, writes boxes into their sidecars.
#
# needs  the manifests of the images; a model that finds the classes
# makes  what the classes mean to the model, once for all shards; the images' sidecars; a
#        table of them for every shard, and, when all are done, a summary

if "detect" in STAGES and not config["detect"]["clear"]:
    if not parse_classes(config["detect"]["classes"]):
        raise WorkflowError(
            "detect needs classes: --classes flower,leaf, or detect: classes"
        )

withdraw("detect", str(state("detect") / "detections/{part}.jsonl"))


rule vocabulary:
    output:
        vocabulary=state("detect") / "vocabulary.json",
    log:
        ".dtst/logs/vocabulary.log",
    conda:
        environment("detect")
    threads: 1
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        # A function, as in a name braces are just that.
        classes=lambda w: parse_classes(config["detect"]["classes"]),
        weights=main_process(lambda w: version("detect")["weights"]),
        code=code_version(detect_stage, detect_vocabulary),
    message:
        "Asking the model for the classes"
    script:
        "../../scripts/vocabulary.py"


rule detect:
    input:
        manifest=manifest("detect"),
        vocabulary=(
            [] if config["detect"]["clear"] else rules.vocabulary.output.vocabulary
        ),
    output:
        table=state("detect") / "detections/{shard}.jsonl",
        failed=state("detect") / "failed/{shard}.jsonl",
    log:
        ".dtst/logs/detect/{shard}.log",
    conda:
        environment("detect")
    threads: config["detect"]["workers"]
    resources:
        gpu=GPU,
        mem_mb=lambda w, attempt, threads: 3000 * threads * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        options=options("detect"),
        version=main_process(lambda w: version("detect")),
    message:
        "Detecting, shard {wildcards.shard}"
    script:
        "../../scripts/detect.py"


use rule collect_faces as collect_detections with:
    input:
        tables=per_shard("detect", rules.detect.output.table),
        failed=per_shard("detect", rules.detect.output.failed),
        inventory=lambda w: inventory_of("detect"),
    output:
        summary=report(
            summary_of("detect"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            state("detect") / "failed.jsonl",
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        ".dtst/logs/collect_detections.log",
    params:
        stage="detect",
        bucket=bucket("detect"),
        strict=config["strict"],
        code=code_version(collect_stage),
    message:
        "Collecting the detections of all shards"
