"""What of a dataset stays inside of it, whoever wrote the names in it."""

import os
from pathlib import Path, PurePosixPath

LONGEST_TARGET = 200
"""Bytes in the name of a target bucket; files of its state and its report bear it, too."""


class BadBucket(Exception):
    """A bucket spec that cannot be used; the message says why and what would do."""


def is_relative(path: object) -> bool:
    """Whether a path, as it is written, names something below the folder it starts at."""
    if not isinstance(path, str) or "\0" in path or path.startswith("/"):
        return False
    # Not by pathlib, which would take seconds for the rows of a million files.
    parts = set(path.split("/")) - {"", "."}
    return bool(parts) and ".." not in parts


def escapes(folder: str | Path, path: str) -> bool:
    """Whether links on the way take a path out of the folder that it starts at."""
    real = Path(os.path.realpath(Path(folder, path)))
    return not real.is_relative_to(os.path.realpath(folder))


def check_no_escape(dataset: str | Path, name: str) -> None:
    """Refuse a folder to write into that is a link out of the dataset. Raises BadBucket."""
    if escapes(dataset, name):
        raise BadBucket(
            f"{name!r} leads out of the dataset folder {dataset} by a link, and nothing "
            "is written there; to keep a dataset on another disk, link its whole folder"
        )


def check_target(to: str) -> None:
    """Refuse a target that is no plain name of a folder. Raises BadBucket."""
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
