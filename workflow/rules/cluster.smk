# Cluster: groups the images by their embeddings.
#
# needs  the tables and arrays of all shards; labels.csv in the target bucket, if the user
#        put one there
# makes  in the target bucket a folder for every cluster, the largest first, noise for
#        the rest, and clusters.json

withdraw("cluster", str(state("cluster") / "embeddings/{part}.jsonl"))


rule cluster:
    input:
        tables=per_shard("cluster", rules.embed.output.table),
        arrays=per_shard("cluster", rules.embed.output.array),
        failed=per_shard("cluster", rules.embed.output.failed),
        labels=lambda w: labels_file(),
    output:
        summary=report(
            summary_of("cluster"),
            category="Numbers",
            caption="../report/summary.rst",
        ),
        failures=report(
            state("cluster") / "failed.jsonl",
            category="Failures",
            caption="../report/failures.rst",
        ),
    log:
        f".dtst/logs/cluster/{bucket('cluster')}.log",
    conda:
        environment("cluster")
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 120 * attempt,
    params:
        bucket=bucket("cluster"),
        options=options("cluster"),
        link=config["cluster"]["link"],
        strict=config["strict"],
        code=code_version(cluster_stage),
    message:
        "Clustering all images"
    script:
        "../../scripts/cluster.py"
