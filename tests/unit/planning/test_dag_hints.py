"""What Snakemake is told of its DAG, also when the workflow is a module of another."""

from types import SimpleNamespace

import pytest
from snakemake.persistence.file import FilePersistence

from dtst_flow.planning import dag_hints
from dtst_flow.planning.dag_hints import DagHints, note_params_of_jobs
from dtst_flow.planning.staleness import Stale
from dtst_flow.stages.registry import STAGES


@pytest.fixture
def hints(monkeypatch) -> DagHints:
    """For a module whose rules have a prefix; nothing is stale, two shards are listed."""
    monkeypatch.setattr(dag_hints, "stale_files", lambda plan: Stale([], []))
    monkeypatch.setattr(dag_hints.inventory, "shards", lambda folder: ["s0", "s1"])
    plan = SimpleNamespace(
        stages=[STAGES["extract_faces"], STAGES["cluster"]],
        inventory=lambda stage: stage,
        table=lambda stage, shard: f"{stage}/{shard}.jsonl",
    )
    return DagHints(plan, "dtst_{}".format)


def test_until_names_a_rule_as_the_workflow_around_does(hints):
    dag = SimpleNamespace(forcefiles=set(), untilrules={"dtst_embed", "mine"})
    hints.give(dag)
    assert dag.untilrules == {"mine"}
    hints.are_listed(dag, "extract_faces")
    assert dag.untilrules == {"mine"} and not dag.forcefiles
    hints.are_listed(dag, "cluster")
    assert dag.untilrules == {"dtst_embed", "mine"}
    assert dag.forcefiles == {"cluster/s0.jsonl", "cluster/s1.jsonl"}


def test_rules_of_the_workflow_around_are_its_own(hints):
    dag = SimpleNamespace(forcefiles=set(), untilrules={"embed"})
    hints.give(dag)
    assert dag.untilrules == {"embed"}


def test_the_params_that_are_noted_are_those_that_a_job_got():
    class Job:
        non_derived_params = ("as planned",)

    class Notes(FilePersistence):
        def __init__(self):
            """Without a folder."""

    notes, job = Notes(), Job()
    note_params_of_jobs(notes)
    planned = notes._params(job)
    job.non_derived_params = ("as the job starts",)
    assert notes._params(job) != planned
