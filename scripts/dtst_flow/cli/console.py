"""How ``dtst`` speaks: on a terminal in colour, through a pipe plainly, or as JSON."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import click

from dtst_flow.utils.text import printable_lines

FAILED, REFUSED = 1, 2
"""Exit codes: a run failed; what was asked for cannot be done."""


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        code: Its exit code.
        errors: What went wrong.
        content: What else is known, for whoever reads it by a program.
    """

    code: int = 0
    errors: list[str] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: click.ClickException) -> "Ending":
        """Return that of a command that could not be carried out."""
        return cls(error.exit_code, [error.format_message()])

    def to_value(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        told = {"ok": self.code == 0, "exit": self.code, "errors": self.errors}
        return told | self.content


@dataclass(frozen=True)
class Voice:
    """How much is said.

    Attributes:
        verbose: Snakemake's own output, and its command line.
        quiet: Errors only.
        as_json: One JSON object on stdout at the end, errors in it, and nothing else.
    """

    verbose: bool = False
    quiet: bool = False
    as_json: bool = False

    def say(self, text: str) -> None:
        """Tell what is going on."""
        if not self.quiet and not self.as_json:
            click.echo(printable_lines(text), err=True)

    def result(self, lines: Iterable[str]) -> None:
        """Tell what came of it, on stdout."""
        if not self.quiet and not self.as_json:
            for line in lines:
                click.echo(printable_lines(line))

    def end(self, ending: Ending) -> NoReturn:
        """End the program; what went wrong stands last."""
        if self.as_json:
            click.echo(json.dumps(ending.to_value(), indent=2))
        else:
            for error in ending.errors:
                _show(error)
        raise SystemExit(ending.code)


class Refused(click.ClickException):
    """What was asked for cannot be done; nothing was begun."""

    exit_code = REFUSED


def _show(error: str) -> None:
    """Write an error; colours as https://no-color.org has it, else on a terminal."""
    label = click.style("error:", fg="red", bold=True)
    text = f"{label} {printable_lines(error.strip())}"
    click.echo(text, err=True, color=False if os.environ.get("NO_COLOR") else None)
