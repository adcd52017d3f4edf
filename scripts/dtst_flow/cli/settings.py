"""Settings as flags of the command line, made from the schema."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dtst_flow.planning.config import read_schema

SHORT = {
    "extract_frames": {"keyframes": "-k", "format": "-F", "workers": "-w"},
    "extract_faces": {
        "max_size": "-M",
        "engine": "-e",
        "max_faces": "-m",
        "workers": "-w",
    },
    "detect": {"classes": "-c", "model": "-m", "workers": "-w"},
    "extract_classes": {"classes": "-c", "workers": "-w"},
    "cluster": {"model": "-m", "batch_size": "-b", "workers": "-w"},
    "select": {"min_side": "-s", "workers": "-w"},
}
"""Short names of options, those of dtst."""


class Cores(click.ParamType[str]):
    """A number of cores from 1 on, or ``all``."""

    name = "integer|all"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the word that Snakemake takes."""
        word = str(value).lower()
        if word != "all" and not (word.isascii() and word.isdecimal() and int(word)):
            self.fail(f"{value!r} is neither a number from 1 on nor 'all'", param, ctx)
        return word


class Folder(click.Path):
    """A folder; an empty word is refused, as it is mostly a variable that is not set."""

    def __init__(self) -> None:
        super().__init__(file_okay=False)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Return the folder as it was given."""
        if value == "":
            self.fail("is empty; is a variable in it not set?", param, ctx)
        return super().convert(value, param, ctx)


DATASET_HELP = "Dataset folder, such as scratch/crowd.  [default: the current folder]"

in_dataset = click.option(
    "-d", "--working-dir", default=".", type=Folder(), help=DATASET_HELP
)
"""The option that says which dataset a command of its own is about."""

TAKEN_OVER = ("from", "classes")
"""Settings that a stage takes over from the one before, so that a path asks for once."""

SHARED = (
    "background",
    "allow_truncated",
    "max_pixels",
    "max_seconds",
    "max_file_size",
    "workers",
)
"""Settings that mean the same in every stage, so that a path has one flag for all."""

json_flag = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else."
)
"""The option of commands of their own for whoever reads them by a program."""

TYPES = {"integer": int, "string": str, "array": str, "number": float}


@functools.cache
def schema() -> dict[str, Any]:
    """The properties of the config schema."""
    properties: dict[str, Any] = read_schema()["properties"]
    return properties


def sections() -> list[str]:
    """The names of the sections of the config, each the settings of a stage."""
    return [name for name, prop in schema().items() if "properties" in prop]


Prop = dict[str, Any]
"""What the schema says of one setting."""

Blocks = dict[str, dict[str, Any]]
"""Section -> settings."""


class Option(click.Option):
    """An option that help lists under a heading of its own."""

    heading = "Options"


class Pairs(Option):
    """An option for a setting that has a number for each of some names.

    It may be given several times, each time with a name and a number.
    """

    def __init__(self, names: list[str], **more: Any) -> None:
        super().__init__(names, multiple=True, type=(str, float), **more)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the numbers by their names; None where it is not given."""
        pairs = super().process_value(ctx, value) or ()
        # Whole ones as a config file has them: to Snakemake 5.0 is another setting than 5.
        return {n: int(x) if x.is_integer() else x for n, x in pairs} or None


@dataclass(frozen=True)
class Flag:
    """An option that stands for a setting.

    Attributes:
        option: The option.
        setting: The name of the setting.
        stages: Those that it is for.
    """

    option: click.Option
    setting: str
    stages: tuple[str, ...]


def flags(stages: tuple[str, ...]) -> list[Flag]:
    """Make the flags for all settings of a command.

    A setting bears its own name; where several stages have one of that name, that of the
    stage in front (--faces-to, --cluster-to). Of what a stage takes over from the one
    before there is only the flag of the first.
    """
    made = []
    for stage in stages:
        for name, prop in schema()[stage]["properties"].items():
            having = tuple(s for s in stages if name in schema()[s]["properties"])
            once = name in TAKEN_OVER + SHARED
            if once and stage != having[0]:
                continue
            prefix = "" if once or len(having) == 1 else prefix_of(stage)
            option = _option(stage, name, prop, prefix)
            if len(stages) > 1 and name not in TAKEN_OVER:
                option.heading = (
                    "Options of all stages"
                    if name in SHARED
                    else f"Options of {stage.replace('_', '-')}"
                )
            made.append(Flag(option, name, having if name in SHARED else (stage,)))
    _drop_equal_short_names([flag.option for flag in made])
    if len(stages) > 1:
        made.sort(key=lambda flag: flag.setting in SHARED)
    return made


def prefix_of(stage: str) -> str:
    """What stands in front of a stage's flags where others have them: ``faces-``."""
    return stage.removeprefix("extract_").replace("_", "-") + "-"


def _drop_equal_short_names(options: list[click.Option]) -> None:
    """Leave no short name to options of which several have it."""
    names = [name for option in options for name in option.opts]
    for option in options:
        option.opts = [
            name
            for name in option.opts
            if name.startswith("--") or names.count(name) == 1
        ]


def given(flags: list[Flag], values: dict[str, Any]) -> Blocks:
    """Return the settings that the command line gives, and only those.

    Args:
        flags: The flags of the command.
        values: The value of each parameter, None where it is not given.
    """
    blocks: Blocks = {stage: {} for flag in flags for stage in flag.stages}
    for flag in flags:
        value = values[str(flag.option.name)]
        for stage in flag.stages if value is not None else ():
            blocks[stage][flag.setting] = value
    return blocks


def _option(stage: str, name: str, prop: Prop, prefix: str) -> Option:
    word = prefix + name.replace("_", "-")
    flag, no, variable = f"--{word}", f"--no-{word}", word.replace("-", "_")
    help_text = prop["description"]
    default = prop["default"]
    if default is not None and not isinstance(default, bool):
        help_text += f"  [default: {default}]"
    if prop.get("type") == "boolean":
        help_text += f"  [default: {flag if default else no}]"
        return Option([f"{flag}/{no}", variable], default=None, help=help_text)
    short = SHORT.get(stage, {}).get(name)
    names = [*([short] if short and not prefix else []), flag, variable]
    if "object" in prop.get("type", ()):
        return Pairs(names, metavar="NAME NUMBER", help=help_text)
    complete = buckets if name in ("from", "to", "people") else None
    return Option(
        names, type=_type(name, prop), help=help_text, shell_complete=complete
    )


def choices(prop: Prop) -> list[str]:
    """The values of a setting that has a fixed set of them; null is for left open."""
    return [value for value in prop["enum"] if value is not None]


def _type(name: str, prop: Prop) -> Any:
    if "enum" in prop:
        return click.Choice(choices(prop), case_sensitive=False)
    if name == "weights":
        return click.Path(dir_okay=False)
    types = prop["type"] if isinstance(prop["type"], list) else [prop["type"]]
    return next(TYPES[t] for t in types if t != "null")


def buckets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """List the folders of the dataset that begin as the last name of a comma list."""
    before, comma, last = incomplete.rpartition(",")
    parent, slash, start = last.rpartition("/")
    dataset = Path(ctx.params.get("working_dir") or ".")
    try:
        entries = sorted(
            entry.name for entry in os.scandir(dataset / parent) if entry.is_dir()
        )
    except OSError:
        return []
    return [
        f"{before}{comma}{parent}{slash}{name}"
        for name in entries
        if name.startswith(start) and not name.startswith(".")
    ]


in_bucket = click.option(
    "--to",
    "bucket",
    default="cluster",
    shell_complete=buckets,
    help="Folder in it that holds the clusters.  [default: cluster]",
)
"""The option that says which clusters in it."""
