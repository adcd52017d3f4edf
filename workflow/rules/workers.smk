# Workers: how many processes the job of a shard uses, and how many threads grouping.

from dtst_flow.planning import spread
from dtst_flow.stages.registry import STAGES


def workers(stage, megabytes):
    """A rule's threads: as set, or what keeps all cores of this machine busy.

    A process takes so many megabytes; jobs on a GPU are one process each.
    """

    def shared_out(wildcards):
        alone = STAGES[stage].rule in GPU or not workflow.is_main_process
        if alone or not workflow.local_exec or is_drawn(stage):
            return 1
        shards = inventory.shards(listed(stage))
        most = spread.in_memory(megabytes)
        return spread.workers(wildcards.shard, shards, workflow.cores, most)

    return config[stage]["workers"] or shared_out


def grouped():
    """How many images are to be grouped, as far as they are listed.

    Snakemake asks for the resources of a job before the list is made, and again afterwards.
    """
    return inventory.count(PLAN.inventory("cluster"))


def grouping_threads(wildcards):
    """The threads that group all images: all there are, or what is asked a cluster for."""
    if workflow.local_exec:
        return workflow.cores
    return spread.grouping_threads(grouped())
