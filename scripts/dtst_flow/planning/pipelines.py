"""Paths: which stages follow each other, and what one leaves open for the next."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

PIPELINES: dict[str, tuple[str, ...]] = {
    "faces": ("extract_faces", "cluster"),
    "images": ("cluster",),
    "classes": ("detect", "extract_classes", "cluster"),
    "extract-frames": ("extract_frames",),
    "extract-faces": ("extract_faces",),
    "detect": ("detect",),
    "extract-classes": ("extract_classes",),
    "cluster": ("cluster",),
    "select": ("select",),
}
"""Path -> its stages, in order."""

WHOLE = ("faces", "images", "classes")
"""The paths that go from photos to clusters, as `dtst run` runs them."""

SOURCE = "images/*"
"""Where a path starts that is given no source."""


def resolve_defaults(
    path: str, settings: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Fill in what the settings of a path's stages leave open.

    The source of a stage is what the stage before makes or, as detect makes nothing but
    sidecars, reads; cluster alone is left without. The classes cut out are those
    detected. Clusters are of faces, except in the paths without.

    Args:
        path: A key of PIPELINES.
        settings: Stage -> its settings, None where they are left open.

    Returns:
        The settings of the path's stages.
    """
    source = None if path == "cluster" else SOURCE
    model = "clip" if path in ("images", "classes") else "arcface"
    classes = None
    resolved = {}
    for stage in PIPELINES[path]:
        defaults = {"from": source, "model": model, "classes": classes}
        filled: dict[str, Any] = {
            name: defaults.get(name) if value is None else value
            for name, value in settings[stage].items()
        }
        if "to" in filled:
            filled["to"] = str(PurePosixPath(filled["to"]))  # faces/ is faces
        source = filled.get("to", filled["from"])
        classes = filled.get("classes")
        resolved[stage] = filled
    return resolved
