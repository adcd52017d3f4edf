"""What a run under way shows: bars on a terminal, now and then a line elsewhere."""

import json
from collections import Counter
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from dtst_flow.runtime.events import Event

EVERY = 30
"""Seconds between two lines about a stage, where there is no terminal."""

NAMES = {"vocabulary": "reading the classes", "cluster": "clustering"}
"""What is shown of rules that work on all images at once."""


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


class Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: Task) -> Text:
        """Write the speed of a bar; nothing while it is not known."""
        return Text(f"{task.speed:.3g}/s" if task.speed else "", style="cyan")


class Bars:
    """Bars on a terminal: one for each rule with images, a spinner for each other.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console):
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:16}"),
            BarColumn(table_column=Column(max_width=30)),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._bars: dict[str, TaskID] = {}
        self._rules: dict[int, str] = {}

    def __enter__(self) -> Self:
        """Start to draw."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw a last time; the bars stay."""
        self._progress.stop()

    def take(self, event: Event) -> None:
        """Follow a job that works on all images at once."""
        if event["kind"] == "began" and (name := _named(event["rule"])):
            self._rules[event["job"]] = event["rule"]
            if event["rule"] not in self._bars:
                bar = self._progress.add_task(name, total=None)
                self._bars[event["rule"]] = bar
        elif event["kind"] == "ended" and event["job"] in self._rules:
            bar = self._bars[self._rules[event["job"]]]
            total = self._progress.tasks[bar].total or 1
            self._progress.update(bar, total=total, completed=total)

    def show(self, rules: dict[str, Counter[str]]) -> None:
        """Bring the bars up to date."""
        for rule, counts in rules.items():
            if rule not in self._bars:
                name = rule.replace("_", "-")
                self._bars[rule] = self._progress.add_task(name, total=None)
            self._progress.update(
                self._bars[rule], completed=counts["done"], total=counts["total"]
            )


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


def _named(rule: str) -> str | None:
    return "listing images" if rule.startswith("inventory_") else NAMES.get(rule)
