"""Settings as the command line has them: options made from the schema, YAML files."""

from pathlib import Path
from typing import Any

import click
import yaml

from dtst_flow.planning.config import read_schema
from dtst_flow.planning.schema import BadSettings, check
from dtst_flow.utils.text import printable

SHORT = {
    "extract_faces": {
        "max_size": "-M",
        "engine": "-e",
        "max_faces": "-m",
        "workers": "-w",
    },
    "detect": {"classes": "-c", "model": "-m", "workers": "-w"},
    "extract_classes": {"classes": "-c", "workers": "-w"},
    "cluster": {"model": "-m", "batch_size": "-b", "workers": "-w"},
}
"""Short names of options, those of dtst."""

DATASET_HELP = "Dataset folder, such as scratch/crowd.  [default: the current folder]"

in_dataset = click.option("-d", "--working-dir", default=".", help=DATASET_HELP)
"""The option that says which dataset a command of its own is about."""

TYPES = {"integer": int, "string": str, "array": str, "number": float}


def schema() -> dict[str, Any]:
    """The properties of the config schema."""
    properties: dict[str, Any] = read_schema()["properties"]
    return properties


Prop = dict[str, Any]
"""What the schema says of one setting."""

Blocks = dict[str, dict[str, Any]]
"""Section -> settings."""


def options(section: str) -> list[click.Option]:
    """One option for every setting of a section of the config."""
    properties = schema()[section]["properties"]
    return [_option(section, name, prop) for name, prop in properties.items()]


def _option(section: str, name: str, prop: Prop) -> click.Option:
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


def choices(prop: Prop) -> list[str]:
    """The values of a setting that has a fixed set of them; null is for left open."""
    return [value for value in prop["enum"] if value is not None]


def _type(prop: Prop) -> type:
    types = prop["type"] if isinstance(prop["type"], list) else [prop["type"]]
    return next(TYPES[t] for t in types if t != "null")


def read_yaml(path: Path, sections: list[str]) -> tuple[str | None, Blocks]:
    """Read a config file in dtst's layout: ``working_dir``, one block per command.

    Where text is wanted, what YAML takes for something else (on, 007, 2024-05-01) is the
    text that stands there.

    Args:
        path: The file.
        sections: The blocks to take; others are for other commands and skipped.

    Returns:
        The working_dir, if given, and section -> settings.

    Raises:
        click.UsageError: The file cannot be used.
    """
    try:
        text = path.read_text("utf-8-sig")
        content, spelled = (
            yaml.load(text, loader) or {}
            for loader in (yaml.SafeLoader, yaml.BaseLoader)
        )
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unusable(path, f"cannot be read: {_fault(error)}") from error
    if not isinstance(content, dict):
        raise _unusable(path, "holds no mapping of settings")
    taken: dict[str, Any] = {
        name: content[name] or {} for name in sections if name in content
    }
    for section, block in taken.items():
        if not isinstance(block, dict):
            raise _unusable(path, f"'{section}' holds no mapping of settings")
        for name in block.keys() & schema()[section]["properties"].keys():
            if _is_text(schema()[section]["properties"][name]):
                word = _inside(_inside(spelled, section), name)
                block[name] = _as_spelled(block[name], word)
    folder = content.get("working_dir")
    if folder is not None:
        taken["working_dir"] = _as_spelled(folder, _inside(spelled, "working_dir"))
    properties = schema() | {"working_dir": {"type": "string"}}
    try:
        check(taken, {"properties": properties})
    except BadSettings as error:
        raise _unusable(path, str(error)) from error
    return taken.get("working_dir"), {s: taken.get(s, {}) for s in sections}


def _unusable(path: Path, fault: str) -> click.UsageError:
    return click.UsageError(f"config file {printable(path)}: {fault}")


def _fault(error: Exception) -> str:
    """What is wrong with a file, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {printable(error.problem)}"
    return printable(str(error).partition("\n")[0])


def _is_text(prop: Prop) -> bool:
    return "string" in prop.get("type", ())


def _inside(spelled: Any, name: str) -> Any:
    """What stands under a name; None where a merge (<<) brings it from elsewhere."""
    return spelled.get(name) if isinstance(spelled, dict) else None


def _as_spelled(value: Any, spelled: Any) -> Any:
    """A value, or the items of a list, as the text that YAML made it from."""
    if isinstance(value, list) and isinstance(spelled, list):
        return [_word(*pair) for pair in zip(value, spelled, strict=False)]
    return _word(value, spelled)


def _word(value: Any, spelled: Any) -> Any:
    return spelled if isinstance(spelled, str) and value is not None else value
