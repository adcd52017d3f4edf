# Report: a page to look at the clusters, made when it is asked for.
#
#   snakemake report --config dataset=crowd path=faces
#   snakemake report --config dataset=crowd path=faces --report crowd.html
#
# needs  the summaries of all stages, and all that those vouch for
# makes  a page in the dataset folder, the one that `dtst report` writes

from dtst_flow.report import place


rule report:
    input:
        lambda w: planned(PLAN.summaries_with_clusters),
    output:
        page=report(
            place(PLAN.bucket("cluster")),
            category="Clusters",
            caption="../report/page.rst",
        ),
    log:
        PLAN.log("report", "cluster"),
    conda:
        "../../envs/cluster.yaml"
    threads: 2
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 120 * attempt,
    params:
        bucket=PLAN.bucket("cluster"),
        code=param(lambda: loaded("report.page").version()),
    message:
        "Writing a page about the clusters"
    script:
        "../../scripts/report.py"
