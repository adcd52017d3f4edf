"""All face engines, and how to load one."""

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
    """Import the module of an engine; this loads no library that runs models.

    Args:
        name: A key of MODELS.
    """
    return importlib.import_module(f"dtst_flow.faces.{name}")


def open_engine(name: str, weights: Path, search: bool = True) -> Engine:
    """Load an engine.

    Args:
        name: A key of MODELS.
        weights: Its model file.
        search: Whether mediapipe also looks for small and distant faces; the other
            engines always do.
    """
    module = module_of(name)
    engine: Engine
    if name == "mediapipe":
        engine = module.MediapipeEngine(weights, search=search)
    else:
        engine = getattr(module, f"{name.capitalize()}Engine")(weights)
    return engine
