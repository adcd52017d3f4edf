"""``dtst check``: whether a run can work here, on one screen."""

import os
import platform
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtst_flow import __version__
from dtst_flow.cli.help import EXAMPLES, Command
from dtst_flow.cli.settings import DATASET_HELP, json_flag
from dtst_flow.utils.files import to_json
from dtst_flow.utils.text import printable

if TYPE_CHECKING:  # it loads NumPy, which takes a moment
    from dtst_flow.cli.health import Finding

COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}

INDENT = 20
"""Columns before what was found: its state and its topic."""


@click.command(cls=Command, examples=EXAMPLES["check"])
@click.option(
    "-d",
    "--working-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=DATASET_HELP.replace("the current folder", "none is looked at"),
)
@json_flag
def check(working_dir: Path | None, as_json: bool) -> None:
    """Check versions, GPU, weights, locks, disk, home and SLURM.

    The first thing to put into a bug report. Exits with 1 where something is in the way
    of a default run, dtst run faces.
    """
    from dataclasses import asdict

    from dtst_flow.cli.health import BROKEN, examine, versions

    found = list(examine(working_dir))
    broken = sum(finding.state == BROKEN for finding in found)
    known = {"dtst-flow": __version__, "Python": platform.python_version()} | versions()
    if as_json:
        rows = [asdict(finding) for finding in found]
        value = {"ok": not broken, "versions": known, "findings": rows}
        click.echo(to_json(value, indent=2))
    else:
        colour = False if os.environ.get("NO_COLOR") else None
        for line in _lines(known, found):
            click.echo(line, color=colour)
        click.echo(_verdict(broken), color=colour)
    sys.exit(1 if broken else 0)


def _lines(known: dict[str, str], found: list["Finding"]) -> list[str]:
    """What was found, a line or two each."""
    told = ", ".join(f"{name} {number}" for name, number in known.items())
    lines = _wrapped("versions", "ok", told)
    for finding in found:
        lines += _wrapped(finding.topic, finding.state, finding.said)
        if finding.fix:
            lines.append(" " * INDENT + click.style(f"-> {finding.fix}", bold=True))
    return lines


def _wrapped(topic: str, state: str, said: str) -> list[str]:
    width = max(40, shutil.get_terminal_size().columns - INDENT)
    first, *more = textwrap.wrap(printable(said), width) or [""]
    mark = click.style(f"{state:8}", fg=COLOURS[state])
    return [f"{mark}{topic:{INDENT - 8}}{first}", *(" " * INDENT + m for m in more)]


def _verdict(broken: int) -> str:
    if not broken:
        return click.style("a default run can work here", fg="green")
    things = "1 thing is" if broken == 1 else f"{broken} things are"
    return click.style(
        f"{things} in the way of a default run (dtst run faces)", fg="red"
    )
