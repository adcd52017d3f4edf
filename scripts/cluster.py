"""Rule cluster."""

from dtst_flow.runtime.job import logged
from dtst_flow.stages import cluster
from dtst_flow.utils import gpu

with logged(snakemake.log[0]):
    gpu.hold(snakemake.resources.gpu)
    cluster.run(
        snakemake.input.tables,
        snakemake.input.arrays,
        snakemake.input.failed,
        snakemake.params.bucket,
        cluster.Options(**snakemake.params.options),
        snakemake.output.summary,
        snakemake.output.failures,
        link=snakemake.params.link,
        clean=snakemake.config["cluster"]["clean"],
        strict=snakemake.params.strict,
    )
