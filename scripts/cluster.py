"""Rule cluster."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import cluster

with running(snakemake):
    given = snakemake.input
    files = given.tables, given.arrays, given.failed, snakemake.params.inventory
    job = cluster.ClusterJob(*files, *snakemake.output, threads=snakemake.threads)
    cluster.run(job, snakemake.config["cluster"], snakemake.params.strict)
