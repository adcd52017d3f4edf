"""What a stage costs that never ran on a dataset's images: a few of them are tried."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.state import PROGRESS, STATE
from dtst_flow.forecast import costs
from dtst_flow.forecast.costs import Cost
from dtst_flow.forecast.verdict import notes_of
from dtst_flow.utils.files import read_table, to_json

TRIAL_IMAGES = 5
"""Images tried."""

PATIENCE = 60
"""Seconds after which a trial is given up."""


@dataclass(frozen=True)
class Trial:
    """What a trial showed.

    cost    of its job
    images  how many were tried
    crops   bytes of each crop that it made, with its sidecar
    """

    cost: Cost
    images: int
    crops: list[int]


class Trials:
    """The trials of a path, in a folder outside of the dataset. To be used with `with`.

    Runs in the dataset's folder, which is only read.
    """

    def __init__(self, gpu: bool):
        self.gpu = gpu
        self._temporary = tempfile.TemporaryDirectory(prefix="dtst-trial-")
        self.folder = Path(self._temporary.name)

    def __enter__(self) -> "Trials":
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def run(
        self, stage: str, settings: dict[str, Any], images: list[str]
    ) -> Trial | None:
        """Try a stage; None where that cannot be.

        images  to compute, in an order over which the few that are tried are spread.
                Without any, what the trial before left in the stage's source
        """
        rule = "embed" if stage == "cluster" else stage
        chosen = spread(images, TRIAL_IMAGES)
        specs = chosen or [settings["from"]]
        if not chosen and not (self.folder / specs[0]).is_dir():
            return None
        for path in chosen:
            self._copy(path)
        shutil.rmtree(self.folder / PROGRESS, ignore_errors=True)
        asked = {"settings": settings, "specs": specs, "gpu": int(self.gpu)}
        if not self._call(stage, asked):
            return None
        notes = notes_of(self.folder / PROGRESS).get(rule, [])
        depends = costs.depends(rule, settings, self.gpu)
        cost = costs.of_jobs(rule, depends, str(self.folder), notes)
        if cost is None or not cost.timed:
            return None
        table = self.folder / STATE / "trial" / stage / "table"
        crops = [crop for row in read_table(table) for crop in row.get("crops", ())]
        sizes = [Entry.of_row(crop).size for crop in crops]
        return Trial(cost, notes[0]["computed"], sizes)

    def _copy(self, path: str) -> None:
        for name in (path, str(sidecars.path_of(path))):
            if os.path.isfile(name):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(name, self.folder / name)

    def _call(self, stage: str, asked: dict) -> bool:
        """Whether a process of its own, whose memory can be told, came to a good end."""
        package = str(Path(costs.__file__).parents[1])
        known = os.environ.get("PYTHONPATH")
        paths = os.pathsep.join(filter(None, (package, known)))
        try:
            done = subprocess.run(
                [sys.executable, "-m", "dtst_flow.stages.trial", stage],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
                input=to_json(asked),
                timeout=PATIENCE,
                capture_output=True,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def spread(images: list[str], few: int) -> list[str]:
    """So many of the images, at most, from the middles of so many equal parts."""
    count = min(few, len(images))
    return [images[(2 * i + 1) * len(images) // (2 * count)] for i in range(count)]
