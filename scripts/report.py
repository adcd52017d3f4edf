"""Rule report."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.report import page
from dtst_flow.runtime.job import running

with running(snakemake):
    page.write(snakemake.params.bucket, snakemake.output.page, snakemake.threads)
