"""Listing the images of a stage, each with the name that its results bear."""

import functools
from pathlib import PurePosixPath
from typing import Any

from dtst_flow.cache import records
from dtst_flow.dataset import given_names, inventory
from dtst_flow.dataset.state import RECORDS, state_of
from dtst_flow.dataset.stems import unique_stems
from dtst_flow.stages.contract import Settings, Stage


def write(
    stage: Stage, settings: Settings, folder: str, listing: dict[str, Any]
) -> None:
    """List the images of a stage in the dataset folder, the working directory.

    No job is at work then, so that records which killed ones left are packed as well.

    Args:
        stage: The stage.
        settings: Those of the stage.
        folder: Where `inventory.write` writes.
        listing: What else it has to know.
    """
    records.tidy(RECORDS)
    namer: inventory.Namer = unique_stems
    if stage.evidence:
        bucket, people = settings["to"], settings.get("people")
        namer = functools.partial(
            given_names.settle,
            state=state_of(bucket),
            evidence=stage.evidence(bucket),
            aside=f"{PurePosixPath(people)}/" if people else "",
        )
    inventory.write(".", folder=folder, **listing, namer=namer)
