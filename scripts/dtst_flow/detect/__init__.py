"""Detectors: an image goes in, boxes come out, each with the name of what it holds."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dtst_flow.models import BadModel, Weights, loading

LIMIT = 300
"""Most boxes of one image, Ultralytics' own limit."""


@dataclass(frozen=True)
class Kind:
    """What there is to know of a detector before it is loaded.

    weights  its model's name in the registry
    text     that of the model which reads the names of classes, where any will do; None
             where it knows those it was trained on only
    """

    weights: str
    text: str | None = None


MODELS = {
    "yoloe-26s-seg": Kind("yoloe-26s-seg", "mobileclip2_b"),
    "yolov8s-worldv2": Kind("yolov8s-worldv2", "clip_vit_b32_openai"),
    "yolo26n": Kind("yolo26n"),
    "yolo26s": Kind("yolo26s"),
    "yolo26m": Kind("yolo26m"),
}
"""Detector -> what it is."""


class NotADetector(BadModel):
    """A file that is no detector we can run; the message says why."""


@dataclass(frozen=True)
class Found:
    """One thing in an image.

    name   its class, as the model calls it
    score  the model's confidence, 0 to 1
    box    (x0, y0, x1, y1) in pixels of the upright image, inside of it
    """

    name: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """A class by its name, for a model of open vocabulary.

    name    what the model is to find
    vector  its text as that model takes it, (d,) float32
    """

    name: str
    vector: np.ndarray


class Detector(Protocol):
    """What every detector can do.

    names  all classes that it finds, by their number
    """

    names: list[str]

    def find(self, image: np.ndarray) -> list[Found]:
        """Return what is in an upright RGB image (height, width, 3) uint8, best first."""

    def close(self) -> None:
        """Free the model."""


def open_detector(
    weights: Weights, least: float, prompts: list[Prompt] | None = None
) -> Detector:
    """Load a detector of Ultralytics: a checkpoint, or a model exported to ONNX.

    least    lowest score of a box
    prompts  for a model of open vocabulary, what to find

    Raises BadModel, and ModelError where PyTorch is needed and not installed.
    """
    with loading(weights.path, "a detector"):
        if weights.path.suffix == ".onnx":
            from dtst_flow.detect.onnx import OnnxDetector

            return OnnxDetector(weights.path, least)
        from dtst_flow.detect.pytorch import TorchDetector

        return TorchDetector(weights, least, prompts)
