"""YOLO detectors exported to ONNX, run without PyTorch."""

import ast
from pathlib import Path

import numpy as np

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
        NotADetector: The file does not name its classes, or has another task.
    """

    def __init__(self, weights: Path, min_score: float):
        self._session = open_session(weights)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if "names" not in metadata or metadata.get("task") not in TASKS:
            raise NotADetector(
                f"{weights} is no detector exported by Ultralytics: it does not tell the "
                "names of its classes"
            )
        self._input = self._session.get_inputs()[0]
        height, width = self._input.shape[2:]
        if not isinstance(height, int) or not isinstance(width, int):
            height, width = map(int, ast.literal_eval(metadata["imgsz"]))
        names = ast.literal_eval(metadata["names"])
        super().__init__(list(map(str, names.values())), (height, width), min_score)

    def run(self, pixels: Vectors) -> Vectors:
        """Run the model; see `YoloDetector.run`."""
        dtype = np.float16 if "float16" in self._input.type else np.float32
        outputs = self._session.run(None, {self._input.name: pixels.astype(dtype)})
        output: Vectors = outputs[0][0].astype(np.float32)
        return output

    def close(self) -> None:
        """Free the model."""
        del self._session
