"""Rule cluster."""

from dtst_flow import device
from dtst_flow.stages import cluster
from dtst_flow.stages.job import logged

with logged(snakemake.log[0]):
    device.hold(snakemake.resources.gpu)
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
