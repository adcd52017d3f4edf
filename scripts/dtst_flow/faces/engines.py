"""The face engines there are, and how one is loaded."""

import importlib
from pathlib import Path
from types import ModuleType

from dtst_flow.faces.base import Engine

MODELS = {
    "mediapipe": "face_landmarker",
    "dlib": "dlib_68_points",
    "scrfd": "scrfd_500m",
}
"""Engine -> the model it runs, by its name in the registry."""


def module_of(name: str) -> ModuleType:
    """The module of an engine, a key of MODELS; it loads no library that runs models."""
    return importlib.import_module(f"dtst_flow.faces.{name}")


def open_engine(name: str, weights: Path, search: bool = True) -> Engine:
    """Load an engine.

    name     a key of MODELS
    weights  its model file
    search   mediapipe only: look for small and distant faces as well
    """
    module = module_of(name)
    if name == "mediapipe":
        return module.MediapipeEngine(weights, search=search)
    return getattr(module, f"{name.capitalize()}Engine")(weights)
