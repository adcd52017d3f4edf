"""Rule inventory."""

from dtst_flow.cache import records
from dtst_flow.dataset import inventory
from dtst_flow.dataset.state import RECORDS
from dtst_flow.runtime.job import logged

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
