# Embed: computes a vector for every image of the source, by which they are compared.
#
# needs  .dtst/buckets/<cluster>/inventory/<shard>.jsonl, the images of a shard
# makes  for every shard .dtst/buckets/<cluster>/embeddings/<shard>.jsonl, a table of its
#        images, <shard>.npy, an array with a row for each, and failed/<shard>.jsonl


rule embed:
    input:
        manifest=manifest("cluster"),
    output:
        table=PLAN.table("cluster"),
        array=PLAN.table("cluster", suffix="npy"),
        failed=PLAN.failed("cluster"),
    log:
        PLAN.log("embed", "cluster", "{shard}"),
    conda:
        environment("embed")
    threads: workers("cluster", 4000)
    resources:
        gpu=int("embed" in GPU),
        mem_mb=lambda w, attempt, threads: 4000 * threads * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        options=param(
            lambda: PLAN.options("cluster", loaded("stages.embedding").Options)
        ),
        weights=param(lambda: version("cluster")["weights"]),
        code=param(lambda: version("cluster")["code"]),
    message:
        "Embedding images, shard {wildcards.shard}"
    script:
        "../../scripts/embed.py"
