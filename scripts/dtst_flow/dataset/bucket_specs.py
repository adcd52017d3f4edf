"""Specs: what names the folders and files of a bucket."""

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from dtst_flow.dataset.containment import BadBucket, check_target

HERE = "."
"""The spec of the dataset folder's loose files."""


def parse_specs(text: str | list[str], dataset: str | Path = ".") -> list[str]:
    """Split a comma list of specs.

    Args:
        text: The list, as the user gave it. A folder whose own name has a comma stays
            whole.
        dataset: The dataset folder.

    Returns:
        The specs, without slashes at their ends.

    Raises:
        BadBucket: No spec is left.
    """
    # A list of names may be longer than any name; os.path takes it nevertheless.
    if isinstance(text, str) and not os.path.exists(Path(dataset) / text.strip()):
        text = text.split(",")
    elif isinstance(text, str):
        text = [text]
    specs = [part.strip().rstrip("/") for part in text if part.strip()]
    if not specs:
        raise BadBucket("no source is named; say --from 'images/*' or another folder")
    return specs


def check_apart(specs: Iterable[str], to: str) -> None:
    """Refuse a target that is a source, contains one or is inside one.

    Args:
        specs: The specs of the sources.
        to: The target.

    Raises:
        BadBucket: They overlap, or the target is no plain name of a folder.
    """
    check_target(to)
    target = PurePosixPath(to)
    for spec in specs:
        # Its own files only: no target, which is a folder below, is among them.
        if spec != HERE and _overlap(PurePosixPath(spec).parts, target.parts):
            raise overlap_of(spec, to)


def fits(name: str, pattern: str) -> bool:
    """Tell whether a name matches a pattern, or is what looks like one."""
    return name == pattern or fnmatchcase(name, pattern)


def overlap_of(spec: str, to: str, link: str | None = None) -> BadBucket:
    """The error that a source and a target overlap.

    Args:
        spec: The source.
        to: The target.
        link: What leads from the one to the other, if it is a link.
    """
    how = f" ('{link}' leads there)" if link else ""
    return BadBucket(
        f"--to '{to}' and --from '{spec}' overlap{how}: results would be read back as "
        "input; choose a folder beside the sources"
    )


def _overlap(spec: tuple[str, ...], target: tuple[str, ...]) -> bool:
    """Tell whether what a spec matches may be the target, contain it or be inside it."""
    for part, name in zip(spec, target, strict=False):
        if part == "**":
            return True
        if not fits(name, part):
            return False
    return True
