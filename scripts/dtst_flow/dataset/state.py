"""Where the workflow keeps what it knows of a dataset."""

from pathlib import Path

STATE = Path(".dtst")
"""Its folder, below that of the dataset."""

RECORDS = STATE / "records"
"""The records of each stage, in a folder of its name."""

PROGRESS = STATE / "progress"
"""One small file a job: how many of its images are done."""

JOBS = STATE / "jobs.lock"
"""The lock that all jobs at work share."""


def state_of(bucket: str) -> Path:
    """The folder with the state of one target bucket."""
    return STATE / "buckets" / bucket


class StateGone(Exception):
    """The place that STATE is linked to is not there; the message says what to do."""


def check_state(dataset: Path) -> None:
    """Refuse a link in place of STATE that leads to a folder which cannot be made.

    Raises:
        StateGone: The folder that should hold it is gone, as when storage is not mounted.
    """
    target = _gone(dataset)
    if target is not None and not target.parent.is_dir():
        raise _state_gone(dataset, target, "No such file or directory")


def make_state(dataset: Path) -> None:
    """Make the folder again that a link in place of STATE leads to, should it be gone.

    Scratch storage may be cleared at any time.

    Raises:
        StateGone: It cannot be made.
    """
    target = _gone(dataset)
    if target is None:
        return
    try:
        target.mkdir()
    except OSError as error:
        raise _state_gone(dataset, target, str(error.strerror)) from error


def _gone(dataset: Path) -> Path | None:
    """Where a link in place of STATE leads to, if nothing is there."""
    link = dataset / STATE
    return link.resolve() if link.is_symlink() and not link.is_dir() else None


def _state_gone(dataset: Path, target: Path, why: str) -> StateGone:
    return StateGone(
        f"{dataset / STATE} leads to {target}, which is not there and cannot be made: "
        f"{why}. Mount or make {target.parent}, or remove the link; without what lay "
        "there all images are computed anew."
    )
