"""Rule inventory."""

from dtst_flow import inventory, records
from dtst_flow.stages.job import logged
from dtst_flow.state import RECORDS

with logged(snakemake.log[0]):
    records.tidy(RECORDS)
    inventory.write(
        ".",
        snakemake.params.specs,
        snakemake.output.folder,
        snakemake.params.cache,
        snakemake.params.shard_size,
        snakemake.params.sidecars,
        snakemake.params.max_file_size,
    )
