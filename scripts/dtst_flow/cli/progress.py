"""What a run under way shows where there is no terminal, and how far its jobs are."""

import json
from collections import Counter
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

import click

from dtst_flow.runtime.events import Event

EVERY = 30
"""Seconds between two lines about a stage, where there is no terminal."""


def read_progress(folder: Path) -> dict[str, Counter[str]]:
    """Add up the progress of all jobs.

    Args:
        folder: Where jobs write it, a JSON file of counts for each.

    Returns:
        Rule -> counts of its images: total, done, computed, failed.
    """
    rules: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            counts = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue  # removed between listing and reading
        rules.setdefault(path.name.partition(".")[0], Counter()).update(counts)
    return rules


class Display(Protocol):
    """Shows how far a run is, as long as it is entered."""

    def __enter__(self) -> Self:
        """Start to show it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""

    def take(self, event: Event) -> None:
        """Follow what a run tells."""

    def show(self, rules: dict[str, Counter[str]]) -> None:
        """Show what `read_progress` read."""


class Lines:
    """A line for each rule at work, twice a minute."""

    def __init__(self) -> None:
        self._told = monotonic()

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to end."""

    def take(self, event: Event) -> None:
        """Of single jobs nothing is told."""

    def show(self, rules: dict[str, Counter[str]]) -> None:
        """Write where it is time to."""
        if monotonic() - self._told < EVERY:
            return
        self._told = monotonic()
        for rule, counts in rules.items():
            if counts["done"] < counts["total"]:
                done = f"{counts['done']} of {counts['total']} images"
                click.echo(f"{rule.replace('_', '-')}: {done}", err=True)


class Silence(Lines):
    """Nothing at all."""

    def show(self, rules: dict[str, Counter[str]]) -> None:
        """Write nothing."""
