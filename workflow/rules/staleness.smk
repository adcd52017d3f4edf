# What Snakemake cannot see of a source and of results from before: told to it as params.

from dtst_flow.planning import source_scan, staleness
from dtst_flow.planning.dag_hints import DagHints, note_params_of_jobs
from dtst_flow.runtime import run_lock

# As a module's, rules get the names that the workflow around gives them.
HINTS = DagHints(PLAN, workflow.modifier.modify_rulename)
version = functools.cache(functools.partial(staleness.stage_version, PLAN))


def fingerprint(stage):
    """The state of a stage's source; a missing model of any stage is told here, too."""
    if error := adjust_dag():
        raise error
    state = source_scan.told_fingerprint(stage)
    state = state or source_scan.source_fingerprint(PLAN, stage, keep=is_run())
    for other in PLAN.stages:
        version(other.name)
    events.tell("source", stage=stage, fingerprint=state)
    return state


def is_run():
    """Whether this Snakemake is to execute jobs."""
    return workflow.executor_plugin and not (workflow.dryrun or workflow.touch)


@functools.cache
def adjust_dag():
    """Tell Snakemake, before it decides what to run, of what it cannot see.

    An error is returned: where an input function fails, Snakemake takes what is there for
    current. It ends the run as a param is worked out.
    """
    if not workflow.is_main_process:
        return None
    try:
        note_params_of_jobs(workflow.persistence)
        if is_run():
            run_lock.clear_plainly(PLAN.dataset, events.note)
        for sentence in planned(HINTS.give, workflow.dag):
            events.note(sentence)
    except Exception as error:
        return error
    return None


def sources(stage):
    """Input function: what must exist before the images of a stage can be listed."""

    def summaries(wildcards):
        adjust_dag()
        return PLAN.summary_before(stage)

    return summaries
