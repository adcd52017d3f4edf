"""The user's own folders, after the XDG Base Directory Specification."""

import os
from pathlib import Path


def user_cache() -> Path:
    """Give the folder of what can be had again, below XDG_CACHE_HOME or ``~/.cache``."""
    return _folder("XDG_CACHE_HOME", "~/.cache")


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser() / "dtst-flow"
