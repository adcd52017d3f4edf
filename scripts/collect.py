"""Rules collect_faces and collect_classes."""

from dtst_flow.runtime.job import logged
from dtst_flow.stages import collect

with logged(snakemake.log[0]):
    collect.run(
        snakemake.params.stage,
        snakemake.input.tables,
        snakemake.input.failed,
        f"{snakemake.input.inventory}/skipped.table",
        snakemake.params.bucket,
        snakemake.output.summary,
        snakemake.output.failures,
        snakemake.params.strict,
    )
