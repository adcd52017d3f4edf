"""Rules collect_faces, collect_detections and collect_classes."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # not a package installed elsewhere

from dtst_flow.runtime.job import running
from dtst_flow.stages import collect

with running(snakemake):
    given, params = snakemake.input, snakemake.params
    files = given.tables, given.failed, given.inventory
    job = collect.CollectJob(*files, *snakemake.output)
    collect.run(params.stage, job, params.bucket, params.strict, params.code)
