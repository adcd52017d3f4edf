"""Rule inventory."""

from dtst_flow import inventory
from dtst_flow.stages.job import logged

with logged(snakemake.log[0]):
    inventory.write(
        ".",
        snakemake.params.specs,
        snakemake.output.folder,
        snakemake.params.cache,
        snakemake.params.shard_size,
        snakemake.params.sidecars,
        snakemake.params.max_file_size,
    )
