"""Whether paths stay inside the dataset, whoever wrote its names."""

import os
from pathlib import Path, PurePosixPath

LONGEST_TARGET = 200
"""Most bytes of a target bucket's name; files of its state and its report have it, too."""


class BadBucket(Exception):
    """A bucket spec that cannot be used; the message says why, and what would work."""


def is_relative(path: object) -> bool:
    """Tell whether a path, as it is written, stays below the folder that it starts at.

    Args:
        path: Any value; one that is no path does not.
    """
    if not isinstance(path, str) or "\0" in path or path.startswith("/"):
        return False
    # Not with pathlib, which would take seconds for the rows of a million files.
    parts = set(path.split("/")) - {"", "."}
    return bool(parts) and ".." not in parts


def escapes(folder: str | Path, path: str) -> bool:
    """Tell whether links take a path out of the folder that it starts at.

    Args:
        folder: The folder.
        path: The path, relative to the folder.
    """
    start = os.path.realpath(folder)
    real = os.path.realpath(os.path.join(folder, path))
    return real != start and not real.startswith(os.path.join(start, ""))


def check_no_escape(dataset: str | Path, name: str) -> None:
    """Refuse to write into a folder that links take out of the dataset.

    Args:
        dataset: The dataset folder.
        name: The folder's path in it.

    Raises:
        BadBucket: Links lead out of the dataset.
    """
    if escapes(dataset, name):
        raise BadBucket(
            f"{name!r} leads out of the dataset folder {dataset} by a link, and nothing "
            "is written there; to keep a dataset on another disk, link its whole folder"
        )


def check_is_folder(dataset: str | Path, name: str) -> None:
    """Refuse a target where a file is in the way of its folder, or of one above.

    Args:
        dataset: The dataset folder.
        name: The target's path in it.

    Raises:
        BadBucket: There is one.
    """
    for path in (name, *map(str, PurePosixPath(name).parents)):
        there = Path(dataset, path)
        if there.exists() and not there.is_dir():
            raise BadBucket(
                f"--to '{name}': {there} is a file, and results go into a folder; move "
                "it away or choose another --to"
            )


def check_target(to: str) -> None:
    """Refuse a target that is no plain name of a folder.

    Args:
        to: The target, relative to the dataset.

    Raises:
        BadBucket: It cannot be the target.
    """
    if not is_relative(to) or not PurePosixPath(to).name.strip():
        raise BadBucket(
            f"--to {to!r} must name a folder below the dataset folder, such as 'faces'"
        )
    if any(part.startswith(".") for part in PurePosixPath(to).parts):
        raise BadBucket(f"--to {to!r}: hidden folders are passed over; choose a name")
    if not to.isprintable() or set("{}") & set(to):
        raise BadBucket(
            f"--to {to!r}: a target has neither braces nor what cannot be printed"
        )
    if len(os.fsencode(to)) > LONGEST_TARGET:
        raise BadBucket(
            f"--to '{to[:20]}…': a target has at most {LONGEST_TARGET} bytes"
        )
