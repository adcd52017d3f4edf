"""Results of another program where a run will put its own: said before they mix."""

from pathlib import Path
from typing import Any

import click

from dtst_flow.cli.request import Request
from dtst_flow.cli.settings import Prop, schema
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.state import state_of
from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults
from dtst_flow.utils.text import printable


def check_foreign(request: Request) -> None:
    """Warn of another program's results in the targets; refuse to overwrite them.

    Raises:
        click.ClickException: The clusters of another program are in the way.
    """
    stages = PIPELINES[request.path]
    complete = {
        stage: {name: prop["default"] for name, prop in _properties(stage).items()}
        | request.settings.get(stage, {})
        for stage in stages
    }
    for stage, settings in resolve_defaults(request.path, complete).items():
        if said := _look(request.dataset, stage, settings):
            request.voice.say(f"note: {said}")


def _look(dataset: Path, stage: str, settings: dict[str, Any]) -> str | None:
    """Look into the target of a stage. Raises click.ClickException."""
    bucket = settings.get("to", "")
    # What cannot be a target is refused with all else.
    if not is_relative(bucket) or not (dataset / bucket).is_dir():
        return None
    # Not before: it loads what takes a moment, such as Pillow.
    from dtst_flow.dataset import foreign
    from dtst_flow.dataset.ledger import Ledgers
    from dtst_flow.stages.registry import STAGES

    state = dataset / state_of(bucket)
    if stage != "cluster":
        numbered = stage == "extract_faces"
        evidence_of = STAGES[stage].evidence
        evidence = evidence_of(dataset / bucket) if evidence_of else None
        ledgers = Ledgers(dataset / bucket, state, evidence)
        return foreign.foreign_crops(dataset, ledgers, settings["from"] or "", numbered)
    if why := foreign.foreign_clusters(dataset / bucket, state):
        raise click.ClickException(printable(why))
    return foreign.foreign_folders(dataset / bucket, state)


def _properties(stage: str) -> dict[str, Prop]:
    properties: dict[str, Prop] = schema()[stage]["properties"]
    return properties
