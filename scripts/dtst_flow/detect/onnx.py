"""Ultralytics' detectors exported to ONNX, run without PyTorch."""

import ast
from pathlib import Path

import numpy as np

from dtst_flow.detect import detr
from dtst_flow.detect.base import NotADetector
from dtst_flow.detect.yolo import YoloDetector
from dtst_flow.models.onnx import open_session
from dtst_flow.utils.array_types import Vectors

TASKS = ("detect", "segment")
"""Tasks of Ultralytics' models that give boxes."""


class OnnxDetector(YoloDetector):
    """Runs what Ultralytics exported: the file holds the names of its classes.

    Args:
        weights: The ONNX file.
        min_score: Lowest score of a box.

    Raises:
        NotADetector: The file does not name its classes, or has another task, or its
            output cannot be read.
    """

    def __init__(self, weights: Path, min_score: float):
        self._session = open_session(weights)
        told = self._session.get_modelmeta().custom_metadata_map
        self._input = self._session.get_inputs()[0]
        if fault := _fault(told, self._input.shape):
            raise NotADetector(f"{weights} cannot be used: {fault}")
        height, width = self._input.shape[2:]
        if not isinstance(height, int) or not isinstance(width, int):
            height, width = map(int, ast.literal_eval(told["imgsz"]))
        names = [str(name) for name in ast.literal_eval(told["names"]).values()]
        super().__init__(names, (height, width), min_score, _is_detr(told))
        try:  # before any photo is looked at
            self.find(np.zeros((height, width, 3), np.uint8))
        except NotADetector as error:
            raise NotADetector(f"{weights} cannot be used: {error}") from None

    def run(self, pixels: Vectors) -> Vectors:
        """Run the model; see `YoloDetector.run`."""
        dtype = np.float16 if "float16" in self._input.type else np.float32
        outputs = self._session.run(
            None, {self._input.name: pixels.astype(dtype, copy=False)}
        )
        output: Vectors = outputs[0][0].astype(np.float32, copy=False)
        return output

    def close(self) -> None:
        """Free the model."""
        del self._session


def _fault(told: dict[str, str], shape: list[int | str]) -> str:
    """Say why a file is none that we can run; "" if it may be one.

    Args:
        told: What it tells of itself.
        shape: That of its input.
    """
    if "names" not in told or "task" not in told:
        return (
            "it does not tell names and task, as what Ultralytics exports from version 8 "
            "on does; export it anew"
        )
    if told["task"] not in TASKS:
        return (
            f"its task is {told['task']!r}, and boxes are found by the tasks "
            f"{' and '.join(TASKS)}"
        )
    if len(shape) != 4 or shape[1] != 3:
        return f"it takes {shape}, and no photos in colour"
    if isinstance(shape[0], int) and shape[0] != 1:
        return f"it takes {shape[0]} images at once; export it with batch=1"
    return ""


def _is_detr(told: dict[str, str]) -> bool:
    """Whether a file is an RT-DETR; before Ultralytics 8.4 its description tells."""
    return told.get("head") == detr.HEAD or (
        "head" not in told and "rtdetr" in told.get("description", "").lower()
    )
