"""Looking for classes in a process of its own: settings, records, and the worker."""

import logging
from dataclasses import dataclass
from typing import Any

from dtst_flow.annotations.detections import (
    ownership,
    result,
)
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.state import RECORDS
from dtst_flow.detect import detectors
from dtst_flow.detect.base import Detector
from dtst_flow.detect.vocabulary import Vocabulary
from dtst_flow.imaging import decode
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.verified_read import Reading
from dtst_flow.stages.contract import (
    Row,
)

log = logging.getLogger(__name__)

FLOOR = 0.05
"""Boxes of lower scores are not kept in records, unless the threshold is lower still: so
that another threshold computes nothing anew."""


@dataclass(frozen=True)
class Options(Reading):
    """The settings of detect that its results depend on.

    Attributes:
        classes: What to look for, a comma list or a list.
        threshold: The lowest score of a box.
        max_instances: The most boxes of a class in one image; the best are kept.
        clear: Look for nothing; take out what was written of these classes, None for
            all.
    """

    classes: str | list[str] | None = None
    threshold: float = 0.2
    max_instances: int = 100
    clear: bool = False


def records(
    options: Options,
    weights: Weights,
    learnt: Vocabulary,
    shard: str | None = None,
) -> Records:
    """Return the records of boxes: those of all classes that the model looks for.

    Args:
        options: The settings.
        weights: The model's.
        learnt: What it looks for.
        shard: The shard whose job asks.
    """
    depends = {
        "model": weights.digest,
        "prompts": learnt.to_value()["prompts"],
        "least": _least(options),
        **verified_read.depends(options),
        "code": code_version(detectors.module_of(weights.path), decode),
    }
    return Records(RECORDS / "detect", depends, shard)


def _least(options: Options) -> float:
    return min(options.threshold, FLOOR)


class Finder:
    """Looks at one image after another; loads its detector when first needed."""

    def __init__(
        self, shard: str, options: Options, weights: Weights, learnt: Vocabulary
    ):
        self.options = options
        self.weights = weights
        self.vocabulary = learnt
        self.records = records(options, weights, learnt, shard)
        self.written = ownership()
        self._detector: Detector | None = None

    def __call__(self, row: ManifestRow, /) -> Row:
        """Look at one image; returns its row of the table."""
        record = self.records.get(row.digest)
        computed = record is None
        if record is None:
            record = self._look(row)
            self.records.put(row.digest, record)
        decode.check_size(record["pixels"], self.options.max_pixels)
        chosen = self._chosen(record["boxes"])
        users = self.written.put(row.path, row.digest, chosen)
        counts = {name: len(boxes) for name, boxes in chosen.items()}
        return result(row, found=counts, users=users, computed=computed)

    def close(self) -> None:
        """Free the detector, if one was loaded."""
        self.records.close()
        if self._detector:
            self._detector.close()

    def _look(self, row: ManifestRow) -> dict[str, Any]:
        """The record of an image: {pixels, boxes: the model's class -> the best first}."""
        image = verified_read.read(row, self.options)
        if not self._detector:
            self._detector = detectors.open_detector(
                self.weights, _least(self.options), self.vocabulary.prompts
            )
        boxes: dict[str, list[Any]] = {}
        for thing in self._detector.find(image):
            box = [round(float(value), 1) for value in thing.box]
            if box[0] < box[2] and box[1] < box[3]:
                entry = {"score": round(thing.score, 4), "box": box}
                boxes.setdefault(thing.name, []).append(entry)
        return {"pixels": image.shape[0] * image.shape[1], "boxes": boxes}

    def _chosen(self, boxes: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The entries of a sidecar: class as asked for -> its boxes."""
        options = self.options
        return {
            name: [
                entry
                for entry in boxes.get(known, [])[: options.max_instances]
                if entry["score"] >= options.threshold
            ]
            for name, known in self.vocabulary.names.items()
        }
