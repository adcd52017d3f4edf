"""The other ``dtst``, github.com/ucodia/dtst: which of its commands and keys are not here."""

from collections.abc import Collection
from typing import Any

from dtst_flow.planning.schema import BadSettings

COMMANDS = (
    "search",
    "fetch",
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

INSTEAD = {
    "analyze": "Here, extract-faces measures the faces that it cuts out (metrics).",
    "dedup": "Here, cluster lists near-duplicates, and select --bursts best leaves them out.",
}
"""Commands of its -> what does the like here."""

NO_MOVE = (
    "has no --move: an image that is taken out of its bucket is put back by the next run. "
    "--link hard or symbolic takes no room either; what you do not want in any cluster, "
    "labels.csv rejects (dtst labels adopt)"
)

FLAGS = {("select", "--move"): f"'select' {NO_MOVE}"}
"""Commands that both have, and flags that only its has -> why, and what to do instead."""

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
    instead = INSTEAD.get(word, "")
    told = (
        f"'{word}' is a command of github.com/ucodia/dtst, which is another program "
        "called dtst. To have both, install each in its own environment and call this "
        "one by its second name, dtst-flow."
    )
    return f"{told} {instead}".rstrip()


def flag_elsewhere(command: str | None, flag: str) -> str | None:
    """Say why a command has no flag that its command of this name has; None of others."""
    return FLAGS.get((command or "", flag))


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
    for name in block.keys() - set(known):
        if told := flag_elsewhere(section, f"--{name}"):
            raise BadSettings(told)
    if "cache" in known and "no_cache" in block:
        if "cache" in block:
            raise BadSettings(f"{section} has both 'cache' and 'no_cache'; keep one")
        value = block.pop("no_cache")
        if not isinstance(value, bool):
            raise BadSettings(f"{section}.no_cache: must be true or false")
        block["cache"] = not value
