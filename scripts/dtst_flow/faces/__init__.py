"""Face engines: an image goes in, the faces in it come out.

An engine is made once per process (loading a model costs far more than one
image) and closed when the process is done with it.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

MODELS = {
    "mediapipe": "face_landmarker",
    "dlib": "dlib_68_points",
    "scrfd": "scrfd_500m",
}
"""Engine -> the model it runs, by its name in the registry."""


@dataclass(frozen=True)
class Face:
    """One face, in pixels of the upright source image (x right, y down).

    box     (x0, y0, x1, y1); may reach past the image edge
    score   the engine's own confidence, higher is surer; not comparable between engines
    points  five (x, y): the eye on the viewer's left, the one on the right, the
            nose tip, the mouth corner on the left, the one on the right
    """

    box: tuple[float, float, float, float]
    score: float
    points: tuple[tuple[float, float], ...]

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        x0, y0, x1, y1 = self.box
        return max(0.0, x1 - x0) * max(0.0, y1 - y0)


class Engine(Protocol):
    """What every engine can do."""

    def find(self, image: np.ndarray) -> list[Face]:
        """Return the faces of an upright RGB image (height, width, 3), uint8, in any order."""

    def close(self) -> None:
        """Free the model."""


def open_engine(name: str, weights: Path, search: bool = True) -> Engine:
    """Load an engine.

    name     a key of MODELS
    weights  its model file
    search   mediapipe only: look for small and distant faces as well
    """
    module = importlib.import_module(f"dtst_flow.faces.{name}")
    if name == "mediapipe":
        return module.MediapipeEngine(weights, search=search)
    return getattr(module, f"{name.capitalize()}Engine")(weights)
