"""``workflows`` of a config file: named lists of commands, one after another."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dtst_flow.cli import peer
from dtst_flow.cli.settings import schema, sections
from dtst_flow.cli.yaml_config import ConfigFile, inside
from dtst_flow.planning.schema import near
from dtst_flow.utils.text import printable


@dataclass(frozen=True)
class Step:
    """One command of a workflow.

    Attributes:
        section: The stage that it runs.
        settings: All that the file says of it.
    """

    section: str
    settings: dict[str, Any]

    @property
    def command(self) -> str:
        """The name of the command."""
        return self.section.replace("_", "-")

    @property
    def target(self) -> str | None:
        """The bucket that it makes, None of a stage that makes none."""
        known = schema()[self.section]["properties"]
        return (
            self.settings.get("to", known["to"]["default"]) if "to" in known else None
        )

    def reads(self, bucket: str) -> bool:
        """Tell whether a bucket is a source of it."""
        known = schema()[self.section]["properties"]
        specs = self.settings.get("from") or known["from"]["default"] or ()
        specs = specs.split(",") if isinstance(specs, str) else specs
        return any(fnmatchcase(bucket, spec.strip().strip("/")) for spec in specs)


def names(config: ConfigFile) -> list[str]:
    """Return the names of a file's workflows. Raises click.UsageError."""
    workflows = config.content.get("workflows") or {}
    if not isinstance(workflows, dict) or not all(
        isinstance(n, str) for n in workflows
    ):
        config.refuse("'workflows' holds no mapping of names to lists of commands")
    return list(workflows)


def read_steps(config: ConfigFile, name: str) -> list[Step]:
    """Read and check all steps of a workflow.

    A step is a command, which has the settings of its block; or a command with settings
    that win over these, or stand alone with ``inherit: false``.

    Raises:
        click.UsageError: There is no such workflow, or a step that cannot be run.
    """
    known = names(config)
    if name not in known:
        has = near(name, known) if known else "; it has none"
        config.refuse(f"there is no workflow '{printable(name)}'{has}")
    listed = config.content["workflows"][name]
    if not isinstance(listed, list) or not listed:
        config.refuse(f"workflow '{printable(name)}' is no list of commands")
    spelled = inside(inside(config.spelled, "workflows"), name)
    texts = spelled if isinstance(spelled, list) else [None] * len(listed)
    return list(_steps(config, name, zip(listed, texts, strict=True)))


def _steps(
    config: ConfigFile, name: str, listed: Iterator[tuple[Any, Any]]
) -> Iterator[Step]:
    for number, (step, spelled) in enumerate(listed, 1):
        where = f"workflow '{printable(name)}', step {number}: "
        if isinstance(step, str):
            step = {step: None}
        if not isinstance(step, dict) or not step:
            config.refuse(f"{where}is no command")
        if len(step) > 1:
            config.refuse(
                f"{where}has {len(step)} keys ({printable(', '.join(map(str, step)))}); "
                "the settings of a command stand below it, indented further"
            )
        ((command, own),) = step.items()
        section = _section(config, where, command)
        yield Step(
            section, _settings(config, where, section, own, inside(spelled, command))
        )


def _section(config: ConfigFile, where: str, command: Any) -> str:
    """The stage that a command of a step runs. Raises click.UsageError."""
    section = str(command).replace("-", "_")
    if section in sections():
        return section
    if section == "exec":
        config.refuse(
            f"{where}'exec' is not supported: a config file may come from anybody, so it "
            "runs no shell commands; run them between two workflows"
        )
    if peer.is_command(section):
        config.refuse(where + peer.command_elsewhere(str(command)))
    known = [name.replace("_", "-") for name in sections()]
    word = printable(command, 200)
    config.refuse(f"{where}there is no command '{word}'{near(word, known)}")


def _settings(
    config: ConfigFile, where: str, section: str, own: Any, spelled: Any
) -> dict[str, Any]:
    """The settings of a step, over those of its block unless it says otherwise."""
    inherit = True
    if isinstance(own, dict) and "inherit" in own:
        own = dict(own)
        inherit = own.pop("inherit")
        if not isinstance(inherit, bool):
            config.refuse(f"{where}inherit: must be true or false")
    settings = config.settings(section, own, spelled, where)
    return config.block(section) | settings if inherit else settings
