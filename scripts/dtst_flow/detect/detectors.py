"""All detectors, and how to load one."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dtst_flow.detect.base import Detector, Prompt
from dtst_flow.models.errors import loading
from dtst_flow.models.store import Weights


@dataclass(frozen=True)
class Kind:
    """What is known of a detector before it is loaded.

    Attributes:
        weights: Its model's name in the registry.
        text: The name of the model that reads the names of classes, where the
            detector finds any class; None where it knows only those it was trained on.
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
    """Import the module that runs a model file; this loads no library that runs models."""
    name = "onnx" if weights.suffix == ".onnx" else "pytorch"
    return importlib.import_module(f"dtst_flow.detect.{name}")


def open_detector(
    weights: Weights, min_score: float, prompts: list[Prompt] | None = None
) -> Detector:
    """Load a detector of Ultralytics: a checkpoint, or a model exported to ONNX.

    Args:
        weights: Its model file.
        min_score: Lowest score of a box.
        prompts: For a model of open vocabulary, what to find.

    Raises:
        BadModel: The file is no detector.
        ModelError: PyTorch is needed and not installed.
    """
    with loading(weights.path, "a detector"):
        module = module_of(weights.path)
        detector: Detector
        if hasattr(module, "OnnxDetector"):
            detector = module.OnnxDetector(weights.path, min_score)
        else:
            detector = module.TorchDetector(weights, min_score, prompts)
        return detector
