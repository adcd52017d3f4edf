"""Where the workflow keeps what it knows about a dataset."""

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


class StateGone(Exception):
    """STATE is a link to a place that does not exist; the message says what to do."""


def make_state(dataset: Path) -> None:
    """If STATE is a link to a folder that is gone, make that folder again.

    Scratch storage may be cleared at any time.

    Args:
        dataset: The dataset folder.

    Raises:
        StateGone: The folder above is gone as well, for example as the storage is not
            mounted.
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
