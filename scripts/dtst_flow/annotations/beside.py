"""Beside which photos detect can keep boxes, as is known before it looks at any."""

import os
from collections.abc import Iterable
from pathlib import Path

from dtst_flow.annotations.ownership import classes_of
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import BadBucket, escapes
from dtst_flow.dataset.entries import Stat, stat_of, unchanged
from dtst_flow.utils.folders import why_not_writable

WAY_ROUND = (
    "Make a folder of links to the photos in the dataset instead, by mkdir and ln -s, or "
    "leave these out of --from"
)


def check_inside(images: Iterable[str]) -> None:
    """Refuse photos whose folder links take out of the dataset, the working directory.

    Raises:
        BadBucket: There is one.
    """
    for folder in _folders(images):
        if escapes(".", folder):
            raise BadBucket(
                f"{folder!r} leads out of the dataset folder by a link, and detect would "
                f"write boxes there, beside the photos. {WAY_ROUND}"
            )


def why_read_only(images: Iterable[str]) -> str | None:
    """Say that a folder of photos cannot be written to, if one is."""
    for folder in _folders(images):
        if why := why_not_writable(Path(folder)):
            return (
                f"{str(folder)!r} cannot be written to: {why}; detect keeps boxes beside "
                f"the photos. {WAY_ROUND}"
            )
    return None


def _folders(images: Iterable[str]) -> list[str]:
    return sorted({os.path.dirname(image) or "." for image in images})


def unusable(images: Iterable[str], known: dict[str, Stat | None]) -> list[str]:
    """Say why sidecars cannot be written into, such as those of other programs.

    Args:
        images: The photos.
        known: The stat of sidecars that detect has already written into, by photo.

    Returns:
        A sentence for each.
    """
    said = []
    for image in images:
        name = sidecars.name_of(image)
        now = stat_of(name) if os.path.exists(name) else None
        if now is None or (image in known and unchanged(now, known[image])):
            continue
        try:
            classes_of(sidecars.read(image), image)
        except sidecars.BrokenSidecar as error:
            said.append(str(error))
    return said
