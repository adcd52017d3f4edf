"""What a run under way shows: nothing, or where there is no terminal now and then a line."""

from collections import Counter
from time import monotonic
from typing import Self

import click

from dtst_flow.cli.console import Voice
from dtst_flow.runtime.events import Event

EVERY = 30
"""Seconds between two lines about a stage, where there is no terminal."""


class Display:
    """Shows how far a run is, as long as it is entered; this one shows nothing.

    Args:
        voice: How much to say.
    """

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def __enter__(self) -> Self:
        """Begin to show it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Show it a last time."""
        self.stop()

    def start(self) -> None:
        """Prepare what is shown."""

    def stop(self) -> None:
        """End what is shown."""

    def say(self, text: str) -> None:
        """Tell what is going on, beside what is shown."""
        self._voice.say(text)

    def take(self, event: Event) -> None:
        """Follow what a run tells."""

    def show(self, rules: dict[str, Counter[str]]) -> None:
        """Show what `progress.counts_of` read."""


def counted(rule: str) -> str:
    """What a rule works on, in words; `Kind` of the dataset takes a moment to load."""
    return "videos" if rule == "extract_frames" else "images"


class Lines(Display):
    """A line for each rule at work, twice a minute."""

    def __init__(self, voice: Voice) -> None:
        super().__init__(voice)
        self._told = monotonic()

    def show(self, rules: dict[str, Counter[str]]) -> None:
        """Write where it is time to."""
        if monotonic() - self._told < EVERY:
            return
        self._told = monotonic()
        for rule, counts in rules.items():
            if counts["done"] < counts["total"]:
                done = f"{counts['done']} of {counts['total']} {counted(rule)}"
                click.echo(f"{rule.replace('_', '-')}: {done}", err=True)
