"""A stage tried on a few images, in a folder of its own, to see what it costs.

    python -m dtst_flow.stages.trial STAGE < settings

Runs where the copies of the images lie. The job leaves there all that it does, what it
cost (`meter`) and its results.
"""

import json
import sys
from dataclasses import fields, replace
from typing import Any

from dtst_flow.annotations.boxes import parse_classes
from dtst_flow.dataset import inventory
from dtst_flow.dataset.state import STATE
from dtst_flow.detect import detectors
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.models import store
from dtst_flow.runtime.job import logged
from dtst_flow.stages import detect as detect_stage
from dtst_flow.stages import embed as embed_stage
from dtst_flow.stages import extract_classes, extract_faces
from dtst_flow.utils import gpu


def run(stage: str, settings: dict[str, Any], specs: list[str]) -> None:
    """Run one stage in the current folder.

    settings  of the stage, all of them
    specs     its source
    """
    folder = STATE / "trial" / stage
    inventory.write(".", specs, folder, folder / "digests", sys.maxsize)
    manifest, *outputs = (
        str(folder / name) for name in ("s.jsonl", "table", "failed", "array")
    )
    JOBS[stage](manifest, *outputs, settings)


def _faces(manifest: str, table: str, failed: str, _: str, settings: dict) -> None:
    options = options_of(extract_faces.Options, settings)
    weights = store.resolve(engines.MODELS[options.engine], settings["weights"])
    extract_faces.run(manifest, table, failed, settings["to"], options, weights)


def _detections(manifest: str, table: str, failed: str, _: str, settings: dict) -> None:
    options = options_of(detect_stage.Options, settings)
    name = detectors.MODELS[settings["model"]].weights
    weights = store.resolve(name, settings["weights"])
    words = f"{table}.vocabulary"
    detect_stage.learn(parse_classes(options.classes), weights, words)
    detect_stage.run(manifest, words, table, failed, options, weights)


def _classes(manifest: str, table: str, failed: str, _: str, settings: dict) -> None:
    options = options_of(extract_classes.Options, settings)
    extract_classes.run(manifest, table, failed, settings["to"], options)


def _embeddings(
    manifest: str, table: str, failed: str, array: str, settings: dict
) -> None:
    # One at a time, as of a whole batch at once the time for one would not be seen.
    options = replace(options_of(embed_stage.Options, settings), batch_size=1)
    weights = store.resolve(embedders.registered(settings), settings["weights"])
    embed_stage.run(manifest, table, array, failed, options, weights)


JOBS = {
    "extract_faces": _faces,
    "detect": _detections,
    "extract_classes": _classes,
    "cluster": _embeddings,
}
"""Stage -> its work on images; what comes after is not tried."""


def options_of(kind: type, settings: dict) -> Any:
    """The options of a stage among its settings."""
    return kind(**{field.name: settings[field.name] for field in fields(kind)})


if __name__ == "__main__":
    asked_for = json.load(sys.stdin)
    with logged(STATE / "trial.log"):
        gpu.hold(asked_for["gpu"])
        run(sys.argv[1], asked_for["settings"], asked_for["specs"])
