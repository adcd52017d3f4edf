"""Write the pages that are made from the command line and the schema: ``make docs``.

Each command gets a page in docs/reference; the tables of settings go below the marker of
docs/configuration.md and config/README.md.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click

from dtst_flow.cli.help import Command
from dtst_flow.cli.main import main
from dtst_flow.cli.settings import Prop, choices, schema

ROOT = Path(__file__).resolve().parent.parent
MARKER = (
    "<!-- Below: made by docs/generate.py from workflow/schemas/config.schema.yaml -->"
)
WITH_SETTINGS = ("config/README.md", "docs/configuration.md")


def pages() -> dict[Path, str]:
    """What every generated page has to be, by its path."""
    made = {}
    for name, command in main.commands.items():
        path = ROOT / "docs/reference" / f"{name}.md"
        made[path] = "\n\n".join(_command_page(command, f"dtst {name}")) + "\n"
    for name in WITH_SETTINGS:
        own = (ROOT / name).read_text().partition(MARKER)[0]
        made[ROOT / name] = f"{own}{MARKER}\n\n" + "\n\n".join(_settings()) + "\n"
    return made


def _command_page(command: click.Command, name: str, level: int = 1) -> Iterator[str]:
    """The parts of a page: a command, then those below it."""
    yield f"{'#' * level} {name}"
    yield inspect.cleandoc(command.help or "")
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    if isinstance(command, Command):
        examples = "\n".join(f"$ dtst {example}" for example in command.examples)
        yield f"```console\n{examples}\n```"
    under: dict[str, list[str]] = {}
    for param in command.get_params(context):
        if isinstance(param, click.Option) and "--help" not in param.opts:
            heading = getattr(param, "heading", "Common options")
            under.setdefault(heading, []).append(_option(param, context))
    for heading, rows in under.items():
        label = f"**{heading}**\n\n" if len(under) > 1 else ""
        yield label + "\n".join(["| option | meaning |", "|---|---|", *rows])
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _command_page(
                command.commands[below], f"{name} {below}", level + 1
            )


def _option(option: click.Option, context: click.Context) -> str:
    names, text = option.get_help_record(context) or ("", "")
    text, _, default = text.partition("  [default: ")
    if default:
        text += f" Default: `{default.removesuffix(']')}`."
    # An asterisk in a table is a sign of Markdown, except in code.
    text = re.sub(r"'(\S*\*\S*)'", r"`'\1'`", text)
    names, text = names.replace("|", r"\|"), text.replace("|", r"\|")
    return f"| `{names}` | {text} |"


def _settings() -> Iterator[str]:
    """The tables of all settings, those of no stage first."""
    sections = {name: prop for name, prop in schema().items() if "properties" in prop}
    yield _table({name: p for name, p in schema().items() if name not in sections})
    for name, prop in sections.items():
        yield f"## {name}"
        yield prop["description"]
        yield _table(prop["properties"])


def _table(props: dict[str, Prop]) -> str:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, prop in props.items():
        default = prop["default"]
        shown = default if isinstance(default, str) else json.dumps(default)
        text = prop["description"]
        if "enum" in prop:
            text += f" One of {', '.join(f'`{value}`' for value in choices(prop))}."
        rows.append(f"| `{name}` | `{shown}` | {text} |")
    return "\n".join(rows)


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
