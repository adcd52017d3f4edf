"""All face engines, and how to load one."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from dtst_flow.faces.base import Engine

MODELS = {
    "mediapipe": ("face_landmarker", "yunet"),
    "yunet": ("yunet",),
    "dlib": ("dlib_68_points",),
    "scrfd": ("scrfd_500m",),
}
"""Engine -> the models it runs, by their names in the registry. Of the first the user may
choose another file."""


def models_of(name: str, search: bool = True) -> tuple[str, ...]:
    """Return the models that an engine runs, by their names in the registry.

    Args:
        name: A key of MODELS.
        search: Whether mediapipe also looks for small and distant faces, which takes a
            second model; the other engines always do.
    """
    return MODELS[name] if search or name != "mediapipe" else MODELS[name][:1]


def module_of(name: str) -> ModuleType:
    """Import the module of an engine; this loads no library that runs models.

    Args:
        name: A key of MODELS.
    """
    return importlib.import_module(f"dtst_flow.faces.{name}")


def open_engine(name: str, weights: Sequence[Path]) -> Engine:
    """Load an engine.

    Args:
        name: A key of MODELS.
        weights: The files of its models, in the order of `models_of`.
    """
    engine: Engine = getattr(module_of(name), f"{name.capitalize()}Engine")(*weights)
    return engine
