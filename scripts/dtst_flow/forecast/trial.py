"""What a stage costs that never ran on a dataset's images: a few of them are tried.

`python -m dtst_flow.forecast.trial STAGE < request` is the process in which it is tried.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dtst_flow.dataset import bucket_specs, inventory, sidecars
from dtst_flow.dataset.state import PROGRESS, STATE
from dtst_flow.forecast import costs
from dtst_flow.forecast.costs import Cost
from dtst_flow.runtime.job import logged
from dtst_flow.runtime.meter import notes_of
from dtst_flow.stages.contract import Settings, ShardJob, Stage
from dtst_flow.stages.crops import CropStats
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils import gpu
from dtst_flow.utils.files import to_json

TRIAL_IMAGES, PATIENCE = 5, 60
"""Images tried, and seconds after which a trial is given up."""


def try_stage(
    stage: Stage, settings: Settings, images: Sequence[str], on_gpu: bool, folder: Path
) -> tuple[Cost, CropStats] | None:
    """Try a stage on a few images and copies of their sidecars, outside of the dataset.

    The few are spread over the images; without any it is tried on what a trial of the stage
    before left. Returns what it cost, and its crops; None where it told nothing.
    """
    specs = spread(images, TRIAL_IMAGES) or bucket_specs.parse_specs(
        settings["from"], folder
    )
    if not images and not (folder / specs[0]).is_dir():
        return None
    for image in specs if images else ():
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).symlink_to(os.path.realpath(image))  # as videos are large
        if _can_be_copied(about := sidecars.name_of(image)):
            shutil.copyfile(about, folder / about)
    shutil.rmtree(folder / PROGRESS, ignore_errors=True)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    path = os.pathsep.join(filter(None, paths))
    try:
        subprocess.run(
            [sys.executable, "-m", "dtst_flow.forecast.trial", stage.name],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            input=to_json({"settings": settings, "specs": specs, "gpu": on_gpu}),
            timeout=PATIENCE,
            capture_output=True,
            check=True,
        )
    except subprocess.SubprocessError:
        return None
    notes = notes_of(folder / PROGRESS).get(stage.rule, [])
    cost = costs.of_jobs("", 0, notes)
    if cost is None:
        return None
    tried = sum(note["computed"] for note in notes)
    known = f"calibrated on {tried} {stage.reads.plural}"
    table = folder / STATE / stage.name / "table"
    return replace(cost, note=known), CropStats.of_tables([table])


def _can_be_copied(name: str) -> bool:
    return os.path.isfile(name) and os.path.getsize(name) <= sidecars.LARGEST


def spread(images: Sequence[str], few: int) -> list[str]:
    """Return so many images, at most, from the middles of so many equal parts."""
    count = min(few, len(images))
    return [images[(2 * i + 1) * len(images) // (2 * count)] for i in range(count)]


def main(stage: Stage, settings: dict[str, Any], specs: list[str]) -> None:
    """Run a stage on its source in the current folder."""
    folder = STATE / stage.name
    cache = folder / "digests"
    inventory.write(".", specs, folder, cache, sys.maxsize, kind=stage.reads.plural)
    table, failed, array = (str(folder / n) for n in ("table", "failed", "array"))
    # One at a time: of a whole batch at once the time of one image would not be seen.
    job = ShardJob(str(folder / "s.jsonl"), table, failed, array)
    stage.run(job, settings | {"batch_size": 1})


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    with logged(STATE / "trial.log"):
        gpu.hold(asked["gpu"])
        main(STAGES[sys.argv[1]], asked["settings"], asked["specs"])
