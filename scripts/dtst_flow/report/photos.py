"""The photo behind a crop, as the crop's sidecar tells."""

from collections.abc import Mapping
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.image_names import is_image


def photo_of(path: str) -> str | None:
    """The photo that an image was cut out of; None where that is not known.

    Args:
        path: The image, relative to the dataset, in whose folder this runs.
    """
    try:
        return photo_in(sidecars.read(path))
    except (sidecars.BrokenSidecar, OSError):
        return None


def photo_in(content: Mapping[str, Any]) -> str | None:
    """The same, given what is in the sidecar, which may be a stranger's."""
    said = content.get("provenance")
    photo = said.get("image") if isinstance(said, dict) else None
    named = isinstance(photo, str) and is_relative(photo) and is_image(photo)
    return photo if named else None
