"""What dtst knows before a run, held against what Snakemake then says."""

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from dtst_flow.cli.watch import Watched
from dtst_flow.planning import up_to_date
from dtst_flow.planning.config import complete_config
from dtst_flow.planning.plan import Plan, PlanError, make_plan
from dtst_flow.planning.source_scan import source_listing
from dtst_flow.runtime import events
from helpers.dataset import NOTHING, Dataset


@contextmanager
def foreseen(dataset: Dataset, settings: dict[str, Any]) -> Iterator[list[str]]:
    """Tell whether a run has nothing to do, as dtst does, and note it afterwards.

    Yields:
        A list that takes what the run prints.
    """
    folder = dataset.folder
    config = complete_config(
        {"root": str(folder.parent), "dataset": folder.name} | settings
    )
    with chdir(folder):
        plan, known = _known(config)
    printed: list[str] = []
    with TemporaryDirectory() as place:
        told = Path(place, "events")
        with mock.patch.dict(os.environ, {events.VARIABLE: str(told)}):
            yield printed
        watched = Watched()
        for event in events.Reader(told).new():
            watched.take(event)
    assert not known or NOTHING in printed[0], printed[0]
    if plan and not dataset.code:
        with chdir(folder), suppress(PlanError):
            asked = up_to_date.asked_for(plan, config, [])
            images = len(source_listing(plan, plan.stages[0].name).images)
            up_to_date.keep(plan, asked, images, watched.sources)


def is_known(dataset: Dataset, settings: dict[str, Any]) -> bool:
    """Whether dtst knows that a run has nothing to do."""
    folder = dataset.folder
    config = {"root": str(folder.parent), "dataset": folder.name} | settings
    with chdir(folder):
        return _known(complete_config(config))[1]


def _known(config: dict[str, Any]) -> tuple[Plan | None, bool]:
    try:
        plan = make_plan(config)
        listing = source_listing(plan, plan.stages[0].name)
        asked = up_to_date.asked_for(plan, config, [])
        return plan, up_to_date.is_known(plan, asked, listing)
    except PlanError:
        return None, False
