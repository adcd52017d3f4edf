"""Failures: the row of an image that could not be processed, and when to try it again.

A failure whose cause is not in any manifest is noted with the file that caused it and the
state of that file: {path, reason, cause, found}. The file is one of the user's among the
results, or None where the system could not read the image, or write its sidecar; nothing shows when
it can.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dtst_flow.dataset.sidecars import BrokenSidecar
from dtst_flow.dataset.state import state_of
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.utils.tables import BrokenTable, read_table


def failure(path: str, error: Exception) -> dict[str, Any]:
    """The row of an image that failed with an error."""
    return {"path": path, "reason": str(error), **cause_of(error)}


def cause_of(error: Exception) -> dict[str, Any]:
    """{cause, found} of an error; {} where the manifest will show that it is gone."""
    file = getattr(error, "file", None)
    if file is not None:
        return {"cause": str(file), "found": _stat(file)}
    system = getattr(error.__cause__, "errno", None) is not None
    if isinstance(error, UnreadableImage | BrokenSidecar) and system:
        return {"cause": None, "found": None}
    return {}


def first_of(failures: Sequence[Mapping[str, Any]], bucket: str) -> str:
    """Name the first of {path, reason} rows, for a run that ends because of them."""
    path, reason = failures[0]["path"], failures[0]["reason"]
    listed = state_of(bucket) / "failed"
    return f"first: {path!r}: {reason}; the lists of all lie in {listed}"


def fail_where_due(
    said: list[str],
    failures: list[dict[str, Any]],
    bucket: str,
    any_done: bool,
    strict: bool,
) -> None:
    """End a job that sums up, where images failed and that is not to be.

    Args:
        said: What it has to tell.
        failures: {path, reason} of each failed image, by path.
        bucket: The bucket that the job sums up.
        any_done: Whether any image was processed.
        strict: Whether one failed image fails the run.

    Raises:
        SystemExit: No image was processed, or one failed and `strict` is set.
    """
    if not any_done:
        named = [first_of(failures, bucket)] if failures else []
        raise SystemExit("; ".join([*said, *named]))
    if strict and failures:
        raise SystemExit(
            f"{len(failures)} images failed and --strict was given; "
            f"{first_of(failures, bucket)}"
        )


def healed_parts(state: Path) -> list[str]:
    """The parts with failures whose cause is gone or has changed since, or may have.

    Args:
        state: The folder with the tables of failures.
    """
    tables = [*state.glob("failed/*.jsonl"), *state.glob("failed.jsonl")]
    return sorted(table.stem for table in tables if _has_healed(table))


def _has_healed(table: Path) -> bool:
    """Whether a table has such a failure; of one that cannot be read, nobody knows."""
    try:
        return any("cause" in row and _is_healed(row) for row in read_table(table))
    except (BrokenTable, LookupError, TypeError):
        return True


def _is_healed(row: Mapping[str, Any]) -> bool:
    return row["cause"] is None or _stat(row["cause"]) != row["found"]


def _stat(path: str | Path) -> list[int] | None:
    """Mode, size and time in ns of whatever has a name, None if nothing has it."""
    try:
        stat = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [stat.st_mode, stat.st_size, stat.st_mtime_ns]
