"""Rule report."""

from dtst_flow.report import page
from dtst_flow.runtime.job import logged

with logged(snakemake.log[0]):
    page.write(snakemake.params.bucket, snakemake.output.page, snakemake.threads)
