"""Bars on a terminal while a run is under way. Loads rich, which takes a moment."""

from collections import Counter

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

from dtst_flow.cli.progress import Display
from dtst_flow.runtime.events import Event
from dtst_flow.utils.text import printable_lines

NAMES = {
    "vocabulary": "reading the classes",
    "cluster": "clustering",
    "choose": "choosing",
}
"""What is shown of rules that work on all images at once."""


class Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: Task) -> Text:
        """Write the speed of a bar; nothing while it is not known."""
        return Text(f"{task.speed:.3g}/s" if task.speed else "", style="cyan")


class Bars(Display):
    """Bars: one for each rule with images, a spinner for each other.

    Args:
        console: Where they are drawn; None for stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:16}"),
            BarColumn(table_column=Column(max_width=30)),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._bars: dict[str, TaskID] = {}
        self._rules: dict[int, str] = {}

    def start(self) -> None:
        """Begin to draw."""
        self._progress.start()

    def stop(self) -> None:
        """Draw a last time; the bars stay."""
        self._progress.stop()

    def say(self, text: str) -> None:
        """Write it above the bars: click would write across them."""
        said = printable_lines(text)
        self._progress.console.print(said, markup=False, highlight=False)

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


def _named(rule: str) -> str | None:
    return "listing images" if rule.startswith("inventory_") else NAMES.get(rule)
