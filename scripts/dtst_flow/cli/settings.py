"""Settings as the command line has them: options made from the schema, YAML files."""

import functools
from pathlib import Path
from typing import Any

import click
import yaml

from dtst_flow.cli.home import home

SHORT = {
    "extract_faces": {
        "max_size": "-M",
        "engine": "-e",
        "max_faces": "-m",
        "workers": "-w",
    },
    "detect": {"classes": "-c", "model": "-m", "workers": "-w"},
    "extract_classes": {"classes": "-c", "workers": "-w"},
    "cluster": {"model": "-m", "batch_size": "-b"},
}
"""Short names of options, those of dtst."""

DATASET_HELP = "Dataset folder, such as scratch/crowd.  [default: the current folder]"

in_dataset = click.option("-d", "--working-dir", default=".", help=DATASET_HELP)
"""The option that says which dataset a command of its own is about."""

TYPES = {"integer": int, "string": str, "array": str, "number": float}


@functools.cache
def schema() -> dict:
    """The properties of the config schema."""
    path = home() / "workflow" / "schemas" / "config.schema.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_bytes(), loader)["properties"]


def options(section: str) -> list[click.Option]:
    """One option for every setting of a section of the config."""
    properties = schema()[section]["properties"]
    return [_option(section, name, prop) for name, prop in properties.items()]


def _option(section: str, name: str, prop: dict) -> click.Option:
    flag = "--" + name.replace("_", "-")
    short = [SHORT[section][name]] if name in SHORT[section] else []
    help_text = prop["description"]
    default = prop["default"]
    if default is not None and not isinstance(default, bool):
        help_text += f"  [default: {default}]"
    if prop.get("type") == "boolean":
        no = "--no-" + name.replace("_", "-")
        help_text += f"  [default: {flag if default else no}]"
        return click.Option([f"{flag}/{no}", name], default=None, help=help_text)
    kind = click.Choice(choices(prop)) if "enum" in prop else _type(prop)
    return click.Option([*short, flag, name], type=kind, help=help_text)


def choices(prop: dict) -> list[str]:
    """The values of a setting that has a fixed set of them; null is for left open."""
    return [value for value in prop["enum"] if value is not None]


def _type(prop: dict) -> type:
    types = prop["type"] if isinstance(prop["type"], list) else [prop["type"]]
    return next(TYPES[t] for t in types if t != "null")


def read_yaml(path: Path, sections: list[str]) -> tuple[str | None, dict]:
    """Read a config file in dtst's layout: ``working_dir``, one block per command.

    sections  the blocks to take; others are for other commands and passed over

    Returns the working_dir, if given, and section -> settings. Raises click.UsageError.
    """
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"config file {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"config file {path} holds no mapping of settings")
    blocks = {}
    for section in sections:
        block = content.get(section) or {}
        if not isinstance(block, dict):
            raise click.UsageError(f"{path}: '{section}' holds no mapping of settings")
        known = schema()[section]["properties"]
        for key in block:
            if key not in known:
                raise click.UsageError(
                    f"{path}: '{section}' has no setting '{key}'{near(key, known)}"
                )
        blocks[section] = block
    return content.get("working_dir"), blocks


def near(word: str, known: Any) -> str:
    """A hint at what may have been meant, or what there is."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; it has {', '.join(known)}"
