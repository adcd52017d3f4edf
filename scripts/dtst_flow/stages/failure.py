"""Failures: the row of an image that could not be processed, and when to try it again.

A failure whose cause no manifest tells of is noted with the file that caused it and how
that was: {path, reason, cause, found}. This is one of the user's among the results, or
the image itself where the system could not read it; of that nothing tells when it can.
"""

import os
from pathlib import Path

from dtst_flow.files import read_table


def failure(path: str, error: Exception) -> dict:
    """The row of an image that an error made fail."""
    row = {"path": path, "reason": str(error)}
    if getattr(error, "file", None) is not None:
        return row | {"cause": str(error.file), "found": _look(error.file)}
    if getattr(error.__cause__, "errno", None) is not None:
        return row | {"cause": path, "found": "unreadable"}
    return row


def healed_parts(state: Path) -> list[str]:
    """The parts with failures whose cause is since gone or was changed.

    state  the folder with the tables of failures
    """
    tables = [*state.glob("failed/*.jsonl"), *state.glob("failed.jsonl")]
    return sorted(
        table.stem
        for table in tables
        if any(
            "cause" in r and _look(r["cause"]) != r["found"] for r in read_table(table)
        )
    )


def _look(path: str | Path) -> list[int] | None:
    """Kind, size and time of whatever bears a name."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [found.st_mode, found.st_size, found.st_mtime_ns]
