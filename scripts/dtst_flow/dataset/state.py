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


def make_state(dataset: Path) -> None:
    """Make the folder anew that a link in place of STATE leads to, should it be gone.

    Scratch storage may be cleared at any time. Raises StateGone where its own folder is
    not there either, as when the storage is not mounted.
    """
    link = dataset / STATE
    if not link.is_symlink() or link.is_dir():
        return
    target = link.resolve()
    try:
        target.mkdir()
    except OSError as error:
        raise StateGone(
            f"{link} leads to {target}, which is not there and cannot be made: "
            f"{error.strerror}. Mount or make {target.parent}, or remove the link; "
            "without what lay there all images are computed anew."
        ) from error
