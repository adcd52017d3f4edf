"""Rules inventory_<stage>."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import listing
from dtst_flow.stages.registry import STAGES

with running(snakemake):
    params, settings = snakemake.params, snakemake.config[snakemake.params.stage]
    folder = snakemake.output.folder
    listing.write(STAGES[params.stage], settings, folder, params.listing)
