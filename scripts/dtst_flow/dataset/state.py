"""Where the workflow keeps what it knows about a dataset."""

import os
from contextlib import suppress
from pathlib import Path

STATE = Path(".dtst")
"""Its folder, relative to the dataset."""

RECORDS = STATE / "records"
"""Has a folder with the records of each stage, of the stage's name."""

PROGRESS = STATE / "progress"
"""Has a small file for each job: how many of its images are done."""

JOBS = STATE / "jobs.lock"
"""The lock that all running jobs share."""


def state_of(bucket: str) -> Path:
    """Give the folder with the state of a target bucket."""
    return STATE / "buckets" / bucket


def log_of(rule: str, bucket: str, *shard: str) -> str:
    """Give the log of a rule's job, for a bucket or one shard of it."""
    return f"{'/'.join((str(STATE), 'logs', rule, bucket, *shard))}.log"


class StateGone(Exception):
    """There can be no folder STATE; the message says why and what to do."""


def check_state(dataset: Path) -> None:
    """Refuse a file in place of STATE, and a link to a folder which cannot be made.

    Raises:
        StateGone: It is no folder, or the folder above is gone as well, for example as
            the storage is not mounted.
    """
    _check_folder(dataset)
    target = _gone(dataset)
    if target is not None and not target.parent.is_dir():
        raise _state_gone(dataset, target, "No such file or directory")


def make_state(dataset: Path) -> None:
    """If STATE is a link to a folder that is gone, make that folder again.

    Scratch storage may be cleared at any time.

    Args:
        dataset: The dataset folder.

    Raises:
        StateGone: It cannot be made, or is no folder.
    """
    _check_folder(dataset)
    target = _gone(dataset)
    if target is None:
        return
    try:
        target.mkdir()
    except OSError as error:
        raise _state_gone(dataset, target, str(error.strerror)) from error


def _check_folder(dataset: Path) -> None:
    path = dataset / STATE
    if path.exists() and not path.is_dir():
        raise StateGone(
            f"{path} is a file, and dtst keeps its state in a folder of that name; move "
            "it away"
        )


def check_no_links(dataset: Path) -> None:
    """Refuse links in STATE: one that came along with a dataset would lead writing out.

    Not looked at: what others keep in the cache, and notes, which are renamed into place.

    Raises:
        StateGone: There is a link.
    """
    folders = [dataset / STATE]
    while folders:
        folder = folders.pop()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_symlink():
                    raise StateGone(
                        f"{path} is a link, and dtst follows none in {STATE}: delete it; "
                        f"to keep the state on another disk, link all of {STATE}"
                    )
                within = path.relative_to(dataset / STATE).parts
                deep = within[0] == "cache" or (within[0] == "detected" and within[1:])
                if not deep and entry.is_dir():
                    folders.append(path)


def _gone(dataset: Path) -> Path | None:
    """Return where a link in place of STATE leads to, if nothing is there."""
    link = dataset / STATE
    return link.resolve() if link.is_symlink() and not link.is_dir() else None


def _state_gone(dataset: Path, target: Path, why: str) -> StateGone:
    return StateGone(
        f"{dataset / STATE} leads to {target}, which is not there and cannot be made: "
        f"{why}. Mount or make {target.parent}, or remove the link; without what lay "
        "there all images are computed anew."
    )
