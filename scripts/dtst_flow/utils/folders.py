"""The user's own folders, after the XDG Base Directory Specification, and others'."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def user_cache() -> Path:
    """Give the folder of what can be had again, below XDG_CACHE_HOME or ``~/.cache``."""
    return _folder("XDG_CACHE_HOME", "~/.cache")


def can_be_made(folder: Path) -> bool:
    """Tell whether a folder is there to be written into, or could be made."""
    there = nearest(folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def nearest(path: Path) -> Path:
    """Give a path, or the nearest above it where something is."""
    path = path.absolute()
    return next(above for above in (path, *path.parents) if above.exists())


def why_not_writable(folder: Path) -> str | None:
    """Say why this user cannot write into a folder that is there; None if they can."""
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return None
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "its file system is read-only"
    try:
        return f"it belongs to {folder.owner()}"
    except KeyError:  # a user of another machine
        return f"it belongs to user {folder.stat().st_uid}"


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser() / "dtst-flow"


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def folders_below(folder: str | Path) -> Iterator[Path]:
    """Yield a folder and all below it that can be opened; links are not followed.

    They may be nested deeper than Python's calls, which `Path.glob` would run out of.
    """
    at_hand = [Path(folder)]
    while at_hand:
        here = at_hand.pop()
        try:
            with os.scandir(here) as entries:
                at_hand += [
                    Path(entry.path)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            continue
        yield here
