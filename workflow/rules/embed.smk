# Embed: computes a vector for every image of the source, by which they are compared.
#
# needs  the manifests of the images to cluster
# makes  for every shard a table of its images, an array with a row for each, and the
#        images that could not be embedded


rule embed:
    input:
        manifest=manifest("cluster"),
    output:
        table=state("cluster") / "embeddings/{shard}.jsonl",
        array=state("cluster") / "embeddings/{shard}.npy",
        failed=state("cluster") / "failed/{shard}.jsonl",
    log:
        f".dtst/logs/embed/{bucket('cluster')}/{{shard}}.log",
    conda:
        environment("embed")
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        options=options("cluster", embed_stage.Options),
        weights=main_process(lambda w: version("cluster")["weights"]),
        code=lambda w: code_version(embed_stage, runs("cluster")[0]),
    message:
        "Embedding images, shard {wildcards.shard}"
    script:
        "../../scripts/embed.py"
