"""Rule measure."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import measuring
from dtst_flow.stages.contract import ShardJob

if __name__ == "__main__":  # worker processes import this file as well
    with running(snakemake):
        measuring.run(ShardJob.of(snakemake), snakemake.config["select"])
