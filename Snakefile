# dtst-flow: from folders of photos to structured image datasets.
#
#   snakemake --config dataset=crowd path=faces
#
# Everything of a dataset lies in its folder, scratch/<dataset>; the workflow runs there,
# so all paths in the rules are relative to it. What the workflow itself has to remember
# is under .dtst in that folder.

from snakemake.utils import min_version

min_version("9.27")


configfile: workflow.source_path("config/config.yaml")


include: "workflow/rules/config.smk"
include: "workflow/rules/common.smk"


if DATASET.is_dir():

    workdir: DATASET


if config["container"]:

    container: config["container"]


include: "workflow/rules/inventory.smk"
include: "workflow/rules/extract_faces.smk"
include: "workflow/rules/detect.smk"
include: "workflow/rules/extract_classes.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        summary_of(STAGES[-1]),


onstart:
    one_look_ahead(workflow.scheduler)
    run_lock.begin_plainly(DATASET)
    shutil.rmtree(PROGRESS, ignore_errors=True)
    SUMMED_UP.update(written_at(BUCKETS))


onsuccess:
    print(summary(BUCKETS))
    reckon(finished=True)


onerror:
    print(summary(BUCKETS, SUMMED_UP))
    reckon(finished=False)
