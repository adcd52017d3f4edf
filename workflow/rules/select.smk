# Select: chooses images of clusters, or of any bucket.
#
# needs  .dtst/buckets/<chosen>/inventory/<shard>.jsonl, the images of a shard; their
#        sidecars; clusters.json in the source, if that is a clustering
# makes  for every shard .dtst/buckets/<chosen>/measures/<shard>.jsonl and
#        failed/<shard>.jsonl; in the target bucket the chosen images with their sidecars
#        and selection.json; summary.json and failed.jsonl


rule measure:
    input:
        manifest=manifest("select"),
    output:
        table=PLAN.table("select"),
        failed=PLAN.failed("select"),
    log:
        PLAN.log("measure", "select", "{shard}"),
    conda:
        "../../envs/base.yaml"
    threads: workers("select", 500)
    resources:
        mem_mb=lambda w, attempt, threads: 500 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        code=param(lambda: version("select")["code"]),
    message:
        "Looking at images, shard {wildcards.shard}"
    script:
        "../../scripts/measure.py"


rule choose:
    input:
        tables=per_shard("select", rules.measure.output.table),
        failed=per_shard("select", rules.measure.output.failed),
    output:
        summary=report(
            PLAN.summary("select"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            PLAN.failures("select"),
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        PLAN.log("choose", "select"),
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: 3000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        inventory=PLAN.inventory("select"),
        clusters=param(PLAN.clusters),
        bucket=PLAN.bucket("select"),
        # A function, as in a name braces are just that.
        options=lambda w: PLAN.options("select"),
        link=config["select"]["link"],
        strict=PLAN.strict,
        code=code_of("stages.select"),
    message:
        "Choosing images"
    script:
        "../../scripts/choose.py"
