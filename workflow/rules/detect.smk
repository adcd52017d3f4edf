# Detect: looks for classes of objects in the images, writes boxes into their sidecars.
#
# needs  .dtst/buckets/.detect/inventory/<shard>.jsonl, the images of a shard; a model that
#        finds the classes
# makes  .dtst/buckets/.detect/vocabulary.json, what the classes mean to the model; the
#        images' sidecars; for every shard detections/<shard>.jsonl and
#        failed/<shard>.jsonl; when all are done, summary.json and failed.jsonl


rule vocabulary:
    output:
        vocabulary=PLAN.state("detect") / "vocabulary.json",
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
        classes=lambda w: config["detect"]["classes"],
        weights=param(lambda: version("detect")["weights"]),
        code=code_of("detect.vocabulary"),
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
        table=PLAN.table("detect"),
        failed=PLAN.failed("detect"),
    log:
        ".dtst/logs/detect/{shard}.log",
    conda:
        environment("detect")
    threads: workers("detect", 3000)
    resources:
        gpu=int("detect" in GPU),
        mem_mb=lambda w, attempt, threads: 3000 * threads * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        version=param(version, "detect"),
    message:
        "Detecting, shard {wildcards.shard}"
    script:
        "../../scripts/detect.py"


use rule collect_faces as collect_detections with:
    input:
        tables=per_shard("detect", rules.detect.output.table),
        failed=per_shard("detect", rules.detect.output.failed),
        inventory=PLAN.inventory("detect"),
    output:
        summary=report(
            PLAN.summary("detect"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            PLAN.failures("detect"),
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        ".dtst/logs/collect_detections.log",
    params:
        stage="detect",
        bucket=PLAN.bucket("detect"),
        strict=PLAN.strict,
        code=code_of("stages.collect", "stages.detect"),
    message:
        "Collecting the detections of all shards"
