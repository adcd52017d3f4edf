"""What Snakemake's DAG has to be told that it cannot see by itself."""

import os
from collections.abc import Callable
from types import MethodType
from typing import Any, Protocol

from dtst_flow.dataset import inventory
from dtst_flow.planning.plan import Plan
from dtst_flow.planning.staleness import stale_files


class Dag(Protocol):
    """The part of Snakemake's `DAG` that is adjusted.

    Attributes:
        forcefiles: Outputs to make again, whatever their state.
        untilrules: The names of the rules behind which a run is to end (``--until``).
    """

    forcefiles: set[str]
    untilrules: set[str]


def note_params_of_jobs(persistence: Any) -> None:
    """Have Snakemake note the params that a job got, by which it compares in the next run.

    It works them out anew when the job starts, and notes those that it compared before it
    decided what to run. In between a source changes: what was the user's there may be
    ours, or the user was at work.

    Args:
        persistence: Snakemake's `Persistence`.
    """
    cached = getattr(type(persistence), "_params", None)
    if uncached := getattr(cached, "__wrapped__", None):
        persistence._params = MethodType(uncached, persistence)


class DagHints:
    """Adjusts a DAG before Snakemake decides what to run; in memory, nothing is written.

    The jobs of a rule are known when its stage's images are listed. Snakemake would take
    ``--until`` such a rule for a run of nothing: it is told of it when they are known.

    Attributes:
        plan: What the run is to do.
        named: A rule's name -> that by which Snakemake knows it.
    """

    def __init__(self, plan: Plan, named: Callable[[str], str] = str):
        self.plan = plan
        self.named = named
        self._until: set[str] = set()

    def give(self, dag: Dag) -> list[str]:
        """Tell a DAG what is stale: what vouches for files that were edited or deleted.

        Returns:
            What is to be restored, in words.
        """
        stale = stale_files(self.plan)
        dag.forcefiles.update(stale.files)
        rules = {self.named(x) for stage in self.plan.stages for x in stage.rules}
        self._until = dag.untilrules & rules
        dag.untilrules -= self._until
        return stale.said

    def are_listed(self, dag: Dag, name: str) -> None:
        """Tell a DAG that the images of a stage are listed."""
        stage = next(stage for stage in self.plan.stages if stage.name == name)
        due = self._until & set(map(self.named, stage.rules))
        dag.untilrules |= due
        self._until -= due
        if self.named(stage.rule) in due:
            # Of jobs that none waits for, Snakemake does not miss what they make.
            shards = inventory.shards(self.plan.inventory(name))
            tables = (self.plan.table(name, shard) for shard in shards)
            dag.forcefiles.update(t for t in tables if not os.path.exists(t))
