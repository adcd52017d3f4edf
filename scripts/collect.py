"""Rules collect_faces, collect_detections and collect_classes."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import collect

with running(snakemake):
    given, params = snakemake.input, snakemake.params
    skipped = f"{given.inventory}/skipped.table"
    job = collect.CollectJob(given.tables, given.failed, skipped, *snakemake.output)
    collect.run(params.stage, job, params.bucket, params.strict)
