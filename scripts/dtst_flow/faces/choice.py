"""Which faces of an image get a crop."""

from collections.abc import Mapping
from typing import Any

from dtst_flow.faces import alignment, quality
from dtst_flow.faces.quality import RankedFace


def facts(found: RankedFace, size: tuple[int, int]) -> dict[str, Any]:
    """Return what decides whether a face is left out.

    Args:
        found: The face.
        size: (width, height) of its upright image in pixels.

    Returns:
        {rank, partial: whether its crop reaches outside the image, metrics}.
    """
    quad = alignment.quad(found.face.points)
    partial = bool(alignment.reaches_outside(quad, *size))
    return {"rank": found.rank, "partial": partial, "metrics": found.metrics}


def left_out_by(face: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The setting that leaves a face out, by its `facts`; "" if none does."""
    most = settings["max_faces"]
    if most is not None and face["rank"] >= most:
        return "max_faces"
    if settings["skip_partial"] and face["partial"]:
        return "skip_partial"
    return quality.missed_limit(face["metrics"], settings)
