"""The other ``dtst``, github.com/ucodia/dtst: which of its commands and keys are not here."""

from collections.abc import Collection
from typing import Any

from dtst_flow.planning.schema import BadSettings

COMMANDS = (
    "search",
    "fetch",
    "select",
    "analyze",
    "annotate",
    "dedup",
    "review",
    "rename",
    "format",
    "frame",
    "augment",
    "upscale",
    "validate",
)
"""Its commands, as the blocks of a config file name them, except those that are here."""

ELSEWHERE = {
    "dry_run": "is a flag: -n on the command line",
    "working_dir": "belongs at the top level of the file",
}
"""Names of its parameters that are no settings of a block -> where they go."""


def is_command(word: str) -> bool:
    """Tell whether a word is one of its commands."""
    return word.replace("-", "_") in COMMANDS


def command_elsewhere(word: str) -> str:
    """Say that a command is the other's, and how to have both."""
    return (
        f"'{word}' is a command of github.com/ucodia/dtst, which is another program "
        "called dtst. To have both, install each in its own environment and call this "
        "one by its second name, dtst-flow."
    )


def take_keys(section: str, block: dict[str, Any], known: Collection[str]) -> None:
    """Turn its keys in a block into ours.

    Args:
        section: The name of the block.
        block: Its settings, changed in place.
        known: The settings that the section has here.

    Raises:
        BadSettings: A key that has to go elsewhere, or says what another says.
    """
    for name in block.keys() & ELSEWHERE.keys():
        raise BadSettings(f"{section}: '{name}' {ELSEWHERE[name]}")
    if "cache" in known and "no_cache" in block:
        if "cache" in block:
            raise BadSettings(f"{section} has both 'cache' and 'no_cache'; keep one")
        value = block.pop("no_cache")
        if not isinstance(value, bool):
            raise BadSettings(f"{section}.no_cache: must be true or false")
        block["cache"] = not value
