"""Rules inventory_<stage>."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.cache import records
from dtst_flow.dataset import inventory
from dtst_flow.dataset.state import RECORDS
from dtst_flow.runtime.job import running

with running(snakemake):
    records.tidy(RECORDS)
    inventory.write(".", folder=snakemake.output.folder, **snakemake.params.listing)
