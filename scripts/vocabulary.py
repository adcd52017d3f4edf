"""Rule vocabulary."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import detect
from dtst_flow.utils import gpu

with running(snakemake):
    gpu.hold(0)  # a few texts are read faster than a GPU is had
    detect.prepare(snakemake.config["detect"], snakemake.output.vocabulary)
