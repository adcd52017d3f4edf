"""Rule vocabulary."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import detect

with running(snakemake):
    detect.prepare(snakemake.config["detect"], snakemake.output.vocabulary)
