"""What is wrong with a dataset folder, in a sentence."""

import os
from pathlib import Path

from dtst_flow.utils import folders

LITTLE = 10_000_000
"""Bytes; where fewer are free, that is likely why a run failed."""


def why_not_writable(dataset: Path) -> str | None:
    """Why a run could not write into a dataset folder, None where it can."""
    for folder in (dataset, dataset / ".dtst", dataset / ".snakemake"):
        if folder.exists() and (why := folders.why_not_writable(folder)):
            return (
                f"{folder} cannot be written to: {why}; a run keeps its state there and "
                "puts its results beside"
            )
    return None


def diagnose(dataset: Path) -> str | None:
    """What may have made a run fail that has nothing to do with it, if anything."""
    try:
        found = os.statvfs(dataset)
    except FileNotFoundError:
        return f"{dataset} is gone: it was moved or deleted while the run was at work"
    free = found.f_bavail * found.f_frsize
    if free < LITTLE:
        return (
            f"no space left on the file system of {dataset}: {free / 1e6:.1f} MB are "
            "free; make room and run the same again, it goes on where it was"
        )
    if found.f_files and not found.f_favail:
        return (
            f"no space left on the file system of {dataset} for more files, whatever "
            "their size; make room and run the same again, it goes on where it was"
        )
    return None
