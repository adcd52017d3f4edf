# dtst-flow: from folders of photos to structured image datasets.
#
#   snakemake --config dataset=crowd path=faces
#
# Everything of a dataset is in its folder, scratch/<dataset>; the workflow runs there,
# so all paths in the rules are relative to it. What the workflow itself has to remember
# is under .dtst in that folder. Reading the rules writes and deletes nothing: only a run
# that executes jobs does.

import shutil

from snakemake.utils import min_version

min_version("9.22")


configfile: workflow.source_path("config/config.yaml")


include: "workflow/rules/config.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/staleness.smk"
include: "workflow/rules/workers.smk"


from dtst_flow.dataset.state import PROGRESS, make_state
from dtst_flow.forecast import verdict
from dtst_flow.report import summary
from dtst_flow.runtime import events, run_lock
from dtst_flow.runtime.meter import process_seconds
from dtst_flow.utils.folders import remove


report: "workflow/report/workflow.rst"


if PLAN.dataset.is_dir():

    workdir: PLAN.dataset


if config["container"]:

    container: config["container"]


include: "workflow/rules/inventory.smk"
include: "workflow/rules/extract_faces.smk"
include: "workflow/rules/extract_frames.smk"
include: "workflow/rules/detect.smk"
include: "workflow/rules/extract_classes.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/report.smk"


rule all:
    input:
        PLAN.summary(PLAN.stages[-1].name),


SUMMED_UP = {}
"""The summaries from before this run, as `written_at` gives them."""


onstart:
    # With a limit on the jobs started per second, Snakemake checks the waiting jobs as
    # many times a second as jobs have ended. Its default is dropped, a user's limit stays.
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    if not workflow.touch:
        make_state(PLAN.dataset)
        run_lock.begin_plainly(PLAN.dataset)
        if unused := devices.unused_gpu(PLAN, config["gpu"], DEPLOYED):
            events.note(unused)
        for path in staleness.forgotten_files(PLAN):
            remove(path)
        shutil.rmtree(PROGRESS, ignore_errors=True)
        SUMMED_UP.update(summary.written_at(PLAN.buckets))


onsuccess:
    if not workflow.touch:
        run = verdict.Run(PLAN, workflow.cores, GPU, process_seconds(), True)
        summary.tell(PLAN.buckets, verdict.record_run(run))


onerror:
    if not workflow.touch:
        run = verdict.Run(PLAN, workflow.cores, GPU, process_seconds(), False)
        verdict.record_run(run)
        summary.tell(PLAN.buckets, before=SUMMED_UP)
