"""The user's own folders, after the XDG Base Directory Specification, and others'."""

import os
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
