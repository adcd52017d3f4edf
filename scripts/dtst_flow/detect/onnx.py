"""YOLO detectors exported to ONNX, run without PyTorch."""

import ast
from pathlib import Path

import numpy as np

from dtst_flow.detect.base import NotADetector
from dtst_flow.detect.yolo import YoloDetector
from dtst_flow.models.onnx import open_session

TASKS = ("detect", "segment")
"""Tasks of Ultralytics' models of which boxes come."""


class OnnxDetector(YoloDetector):
    """Runs what Ultralytics exported: the file tells the names of its classes."""

    def __init__(self, weights: Path, least: float):
        self._session = open_session(weights)
        told = self._session.get_modelmeta().custom_metadata_map
        if "names" not in told or told.get("task") not in TASKS:
            raise NotADetector(
                f"{weights} is no detector exported by Ultralytics: it does not tell the "
                "names of its classes"
            )
        self._input = self._session.get_inputs()[0]
        height, width = self._input.shape[2:]
        if not isinstance(height, int) or not isinstance(width, int):
            height, width = map(int, ast.literal_eval(told["imgsz"]))
        names = ast.literal_eval(told["names"])
        super().__init__(list(map(str, names.values())), (height, width), least)

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Return the model's float32 output, as `yolo.decode` takes it."""
        kind = np.float16 if "float16" in self._input.type else np.float32
        outputs = self._session.run(None, {self._input.name: pixels.astype(kind)})
        return outputs[0][0].astype(np.float32)

    def close(self) -> None:
        """Free the model."""
        del self._session
