"""The detectors there are, and how one is loaded."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dtst_flow.detect.base import Detector, Prompt
from dtst_flow.models.errors import loading
from dtst_flow.models.store import Weights


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


def module_of(weights: Path) -> ModuleType:
    """The module that runs a model file; it loads no library that runs models."""
    name = "onnx" if weights.suffix == ".onnx" else "pytorch"
    return importlib.import_module(f"dtst_flow.detect.{name}")


def open_detector(
    weights: Weights, least: float, prompts: list[Prompt] | None = None
) -> Detector:
    """Load a detector of Ultralytics: a checkpoint, or a model exported to ONNX.

    least    lowest score of a box
    prompts  for a model of open vocabulary, what to find

    Raises BadModel, and ModelError where PyTorch is needed and not installed.
    """
    with loading(weights.path, "a detector"):
        module = module_of(weights.path)
        if hasattr(module, "OnnxDetector"):
            return module.OnnxDetector(weights.path, least)
        return module.TorchDetector(weights, least, prompts)
