"""Paths: which stages follow each other, and what one leaves open for the next."""

from pathlib import PurePosixPath

PIPELINES = {
    "faces": ("extract_faces", "cluster"),
    "images": ("cluster",),
    "classes": ("detect", "extract_classes", "cluster"),
    "extract-faces": ("extract_faces",),
    "detect": ("detect",),
    "extract-classes": ("extract_classes",),
    "cluster": ("cluster",),
}
"""Path -> its stages, in order."""

SOURCE = "images/*"
"""Where a path starts that is given no source."""


def resolve_defaults(path: str, settings: dict[str, dict]) -> dict[str, dict]:
    """Fill in what the settings of a path's stages leave open.

    settings  stage -> its settings, None where they are left open

    The source of a stage is what the stage before makes or, as detect makes nothing but
    sidecars, reads; cluster alone is left without. The classes cut out are those
    detected. Clusters are of faces, except in the paths without.

    Returns the settings of the path's stages.
    """
    source = None if path == "cluster" else SOURCE
    model = "clip" if path in ("images", "classes") else "arcface"
    classes = None
    settled = {}
    for stage in PIPELINES[path]:
        defaults = {"from": source, "model": model, "classes": classes}
        filled = {
            name: defaults.get(name) if value is None else value
            for name, value in settings[stage].items()
        }
        if "to" in filled:
            filled["to"] = str(PurePosixPath(filled["to"]))  # faces/ is faces
        source = filled.get("to", filled["from"])
        classes = filled.get("classes")
        settled[stage] = filled
    return settled
