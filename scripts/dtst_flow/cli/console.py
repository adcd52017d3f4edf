"""How ``dtst`` speaks: on a terminal in colour, through a pipe plainly, or as JSON."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from dtst_flow.cli import signals
from dtst_flow.utils.text import printable_lines

FAILED, REFUSED = 1, 2
"""Exit codes: a run failed; what was asked for cannot be done."""


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

    def end(self, code: int, errors: list[str], **content: Any) -> NoReturn:
        """End with an exit code; what went wrong stands last."""
        if self.as_json:
            value = {"ok": code == 0, "exit": code, "errors": errors, **content}
            click.echo(json.dumps(value, indent=2))
        else:
            for error in errors:
                _show(error)
        raise SystemExit(code)


class Refused(click.ClickException):
    """What was asked for cannot be done; nothing was begun."""

    exit_code = REFUSED


class Interrupted(click.ClickException):
    """Ctrl-C, or another signal that ends the program.

    Args:
        error: What that raised.
    """

    def __init__(self, error: BaseException | None) -> None:
        super().__init__(f"interrupted; {signals.AGAIN}")
        self.exit_code = signals.exit_code(error)  # type: ignore[misc]


def tell(error: click.ClickException) -> int:
    """Tell what was wrong with a command: what, where and a hint, last on screen.

    Returns:
        The exit code.
    """
    if "--json" in sys.argv:
        value = {
            "ok": False,
            "exit": error.exit_code,
            "errors": [error.format_message()],
        }
        click.echo(json.dumps(value, indent=2))
        return error.exit_code
    if isinstance(error, click.UsageError) and error.ctx:
        click.echo(error.ctx.get_usage(), err=True)
    _show(error.format_message())
    return error.exit_code


def _show(error: str) -> None:
    """Write an error; colours as https://no-color.org has it, else on a terminal."""
    label = click.style("error:", fg="red", bold=True)
    text = f"{label} {printable_lines(error.strip())}"
    click.echo(text, err=True, color=False if os.environ.get("NO_COLOR") else None)
