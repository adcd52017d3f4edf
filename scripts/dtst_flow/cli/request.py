"""What a user asked for, as the command line and a config file have it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtst_flow.cli.console import Voice


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        dataset: The dataset folder.
        path: What to run, as the config's `path`.
        settings: What the user set, and only that: section -> settings, or one value.
        strict: Whether one failed image fails the run, None for the default.
        gpu: Whether to ask for a GPU, None for the default.
        dry_run: Only say what would be done.
        unlock: First remove a lock that another run left.
        cores: A number from 1 on, or "all"; None for the profile's.
        profile: A profile of Snakemake's.
        force: Rules to run whatever Snakemake thinks.
        passed_on: Words for Snakemake itself.
        voice: How much to say.
        yes: Ask nothing.
        adopt: First turn what was done by hand among the clusters into labels.
    """

    dataset: Path
    path: str
    settings: dict[str, Any]
    strict: bool | None = None
    gpu: bool | None = None
    dry_run: bool = False
    unlock: bool = False
    cores: str | None = None
    profile: str | None = None
    force: tuple[str, ...] = ()
    passed_on: tuple[str, ...] = ()
    voice: Voice = field(default_factory=Voice)
    yes: bool = False
    adopt: bool = False


def overrides(request: Request) -> dict[str, Any]:
    """The config that makes the workflow do what was asked for."""
    folder = request.dataset.resolve()
    config: dict[str, Any] = {
        "root": str(folder.parent),
        "dataset": folder.name,
        "path": request.path,
    }
    for name in ("strict", "gpu"):
        if (value := getattr(request, name)) is not None:
            config[name] = value
    return config | request.settings
