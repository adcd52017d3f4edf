"""Rule choose."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import select

with running(snakemake):
    given = snakemake.input
    files = given.tables, given.failed, snakemake.params.inventory
    job = select.SelectJob(*files, *snakemake.output)
    select.run(job, snakemake.config["select"], snakemake.params.strict)
