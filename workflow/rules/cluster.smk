# Cluster: groups the images by their embeddings.
#
# needs  the tables and arrays of all shards; labels.csv in the target bucket, if the user
#        put one there
# makes  in the target bucket a folder for every cluster, the largest first, noise for
#        the rest, and clusters.json; .dtst/buckets/<cluster>/summary.json and failed.jsonl


rule cluster:
    input:
        tables=per_shard("cluster", rules.embed.output.table),
        arrays=per_shard("cluster", rules.embed.output.array),
        failed=per_shard("cluster", rules.embed.output.failed),
    output:
        summary=report(
            PLAN.summary("cluster"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            PLAN.failures("cluster"),
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        PLAN.log("cluster", "cluster"),
    conda:
        environment("cluster")
    threads: grouping_threads
    resources:
        gpu=int("cluster" in GPU),
        mem_mb=lambda w, attempt, threads: (
            spread.grouping_memory(grouped(), threads) * attempt
        ),
        runtime=lambda w, attempt: 120 * attempt,
    params:
        inventory=PLAN.inventory("cluster"),
        labels=param(PLAN.labels),
        bucket=PLAN.bucket("cluster"),
        options=param(PLAN.options, "cluster"),
        model=param(PLAN.cluster_model),
        link=config["cluster"]["link"],
        strict=PLAN.strict,
        code=code_of("stages.cluster"),
    message:
        "Clustering all images"
    script:
        "../../scripts/cluster.py"
