"""What the system does not open: nobody knows what is in it, so nothing of it is gone."""

import errno
import os

from dtst_flow.dataset.containment import BadBucket

CLOSED = "cannot be opened"
"""How the reason begins for which something is skipped that may hold images."""

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Errors by which a system says that there is nothing of a name; all others leave it open."""

RESERVED = frozenset({"lost+found"})
"""Folders that belong to a file system itself, which only root may open."""


class Unopened(BadBucket):
    """A folder of a source that cannot be opened.

    Args:
        name: The folder.
        why: What the system says, or what is the matter with it.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name!r} {CLOSED}: {why}. Nothing was done, and the results of what is in "
            "it are kept: mount it or let it be read, or take it out of the source"
        )


def reason(path: str | os.PathLike[str], name: str, error: OSError) -> str:
    """Tell why something is skipped that the system did not open.

    Args:
        path: The file or folder.
        name: Its path in the dataset.
        error: What the system said.

    Raises:
        Unopened: It may hold images. A link does not count, which may be a stranger's and
            lead anywhere.
    """
    stays = error.errno in ABSENT or os.path.basename(name) in RESERVED
    if stays or os.path.islink(path):
        return f"{CLOSED}: {error.strerror}"
    raise Unopened(name, str(error.strerror))
