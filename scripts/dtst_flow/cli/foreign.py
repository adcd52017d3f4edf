"""Results of another program where a run will put its own: said before they mix."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from dtst_flow.cli.console import Refused
from dtst_flow.dataset import foreign
from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.dataset.scan import Listing
from dtst_flow.dataset.state import state_of
from dtst_flow.planning.plan import Plan, PlanError
from dtst_flow.planning.source_scan import source_listing
from dtst_flow.stages.contract import Stage


def notes_of(dataset: Path, plan: Plan, first: Listing) -> Iterator[str]:
    """Yield what another program has in the targets of a run.

    Args:
        dataset: The dataset folder, as the user names it.
        plan: What is to be run.
        first: The source of the first stage.

    Raises:
        Refused: The clusters of another program are in the way.
    """
    for stage in plan.stages:
        bucket = plan.bucket(stage.name)
        folder, state = dataset / bucket, dataset / state_of(bucket)
        if not stage.makes_bucket or not folder.is_dir():
            continue
        if stage.makes_crops:
            numbered = stage.name == "extract_faces"
            suspects = foreign.suspects(stage.ledgers(bucket, dataset), numbered)
            photos = _photos(plan, stage, first) if suspects else []
            made = {} if stage.reads is IMAGES else {"what": "frames of these videos"}
            said = foreign.foreign_crops(folder, suspects, photos, **made)
        elif why := foreign.foreign_clusters(folder, state):
            raise Refused(why)
        else:
            said = foreign.foreign_folders(folder, state)
        if said:
            yield f"note: {said}"


def _photos(plan: Plan, stage: Stage, first: Listing) -> list[str]:
    """The images of a stage's source; none where the source is still to be made."""
    if plan.specs(stage.name) == plan.specs(plan.stages[0].name):
        return first.images
    try:
        with chdir(plan.dataset):
            return source_listing(plan, stage.name).images
    except PlanError:
        return []
