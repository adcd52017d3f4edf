"""Config files in dtst's layout: ``working_dir``, one block per command, ``workflows``."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import yaml

from dtst_flow.cli import peer
from dtst_flow.cli.settings import Blocks, Prop, choices, schema, sections
from dtst_flow.planning.schema import BadSettings, check, near
from dtst_flow.utils.files import read_bytes
from dtst_flow.utils.text import printable
from dtst_flow.utils.yaml_keys import told_twice

FOR_SNAKEMAKE = {
    "dataset": "working_dir names the dataset folder",
    "root": "working_dir names the dataset folder",
    "path": "the command says what to run, such as dtst run faces",
}
"""Settings of the workflow that a config file has no use for -> what is instead."""

LARGEST = 1 << 20
"""Most bytes of a config file."""

WORKING_DIR: Prop = {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class ConfigFile:
    """What a config file says. Its relative paths start at the folder it is in.

    Attributes:
        path: The file.
        content: All that it holds.
        spelled: The same, every value as the text that stands there.
        working_dir: The dataset folder, if given.
        top: The settings of no block, such as strict.
    """

    path: Path
    content: dict[str, Any]
    spelled: Any
    working_dir: Path | None
    top: dict[str, Any]

    def blocks(self, wanted: tuple[str, ...]) -> Blocks:
        """Return the settings of sections. Raises click.UsageError."""
        return {section: self.block(section) for section in wanted}

    def block(self, section: str) -> dict[str, Any]:
        """Return the settings of a section, {} without one. Raises click.UsageError."""
        spelled = inside(self.spelled, section)
        return self.settings(section, self.content.get(section), spelled)

    def settings(
        self, section: str, block: Any, spelled: Any, where: str = ""
    ) -> dict[str, Any]:
        """Check and complete settings of a section.

        Where text is wanted, what YAML takes for something else (on, 007, 2024-05-01) is
        the text that stands there.

        Args:
            section: The section.
            block: The settings; None for none.
            spelled: The same as texts.
            where: Where they stand, if not in the block of the section.

        Raises:
            click.UsageError: One of them cannot be used.
        """
        block = {} if block is None else block
        if not isinstance(block, dict):
            self.refuse(f"{where}'{section}' holds no mapping of settings")
        properties = schema()[section]["properties"]
        read = {
            name: _value(properties[name], value, inside(spelled, name))
            if name in properties
            else value
            for name, value in block.items()
        }
        try:
            peer.take_keys(section, read, properties)
            check({section: read}, {"properties": schema()})
        except BadSettings as error:
            self.refuse(f"{where}{error}")
        if read.get("weights") is not None:
            read["weights"] = str(_beside(self.path, read["weights"]))
        return read

    def refuse(self, fault: str) -> NoReturn:
        """Raise click.UsageError, which names the file."""
        raise _unusable(self.path, fault)


def read_config(path: Path) -> ConfigFile:
    """Read a config file; its blocks are not checked before they are asked for.

    Raises:
        click.UsageError: The file cannot be used.
    """
    try:
        text = read_bytes(path, LARGEST).decode("utf-8-sig")
        fault = told_twice(text)
        content, spelled = (
            yaml.load(text, loader) for loader in (yaml.SafeLoader, yaml.BaseLoader)
        )
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unusable(path, f"cannot be read: {_fault(error)}") from error
    if fault:
        raise _unusable(path, fault)
    if content is None or content == {}:
        raise _unusable(path, "is empty")
    if not isinstance(content, dict):
        raise _unusable(path, "holds no mapping of settings")
    plain = {name: prop for name, prop in schema().items() if name not in sections()}
    plain = {k: v for k, v in plain.items() if k not in FOR_SNAKEMAKE}
    plain["working_dir"] = WORKING_DIR
    top = {
        name: _value(prop, content[name], inside(spelled, name))
        for name, prop in plain.items()
        if content.get(name) is not None
    }
    try:
        check(dict.fromkeys(content), {})
        for name in content:
            _check_name(name, [*plain, *sections(), "workflows"])
        check(top, {"properties": plain})
    except BadSettings as error:
        raise _unusable(path, str(error)) from error
    if "://" not in (container := top.get("container", "://")):
        top["container"] = str(_beside(path, container))
    folder = top.pop("working_dir", None)
    return ConfigFile(path, content, spelled, folder and _beside(path, folder), top)


def _check_name(name: str, known: list[str]) -> None:
    """Refuse a name at the top level that says nothing. Raises BadSettings."""
    # Names with x- are a place for YAML's anchors, as elsewhere.
    if name in known or peer.is_command(name) or name.startswith("x-"):
        return
    if name in FOR_SNAKEMAKE:
        raise BadSettings(
            f"'{name}' is a setting for snakemake; here {FOR_SNAKEMAKE[name]}"
        )
    homes = [s for s in sections() if name in schema()[s]["properties"]]
    if homes:
        raise BadSettings(
            f"'{name}' stands at the top level; it belongs in a block, such as "
            f"{homes[0]}: {{{name}: …}}"
        )
    raise BadSettings(f"dtst has no block '{printable(name, 200)}'{near(name, known)}")


def _beside(file: Path, path: str) -> Path:
    """The path that a file means, whose relative ones start at its folder."""
    return file.parent / os.path.expanduser(path)


def _unusable(path: Path, fault: str) -> click.UsageError:
    return click.UsageError(f"config file {printable(path)}: {printable(fault)}")


def _fault(error: Exception) -> str:
    """What is wrong with a file, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {printable(error.problem)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(str(error).partition("\n")[0])


def inside(spelled: Any, name: Any) -> Any:
    """What stands under a name; None where a merge (<<) brings it from elsewhere."""
    return spelled.get(name) if isinstance(spelled, dict) else None


def _value(prop: Prop, value: Any, spelled: Any) -> Any:
    """A value as its setting wants it: text as it is spelled, a choice in its own case."""
    if "enum" in prop and isinstance(value, str):
        known = {choice.lower(): choice for choice in choices(prop)}
        return known.get(value.lower(), value)
    if "string" not in prop.get("type", ()):
        return value
    if isinstance(value, list) and isinstance(spelled, list):
        return [_word(*pair) for pair in zip(value, spelled, strict=False)]
    return _word(value, spelled)


def _word(value: Any, spelled: Any) -> Any:
    return spelled if isinstance(spelled, str) and value is not None else value
