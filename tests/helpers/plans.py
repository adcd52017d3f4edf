"""Complete configs, as Snakemake hands them to the workflow."""

from pathlib import Path
from typing import Any

from dtst_flow.cli.settings import schema
from dtst_flow.stages.registry import STAGES


def complete(folder: Path, path: str, **settings: dict) -> dict[str, Any]:
    """The config for a path on the dataset ``crowd`` in a folder, with all defaults.

    settings  those of stages that differ from the default
    """
    config: dict[str, Any] = {"root": str(folder), "dataset": "crowd", "path": path}
    config |= {"strict": False}
    for stage in STAGES:
        properties = schema()[stage]["properties"]
        defaults = {name: value["default"] for name, value in properties.items()}
        config[stage] = defaults | settings.get(stage, {})
    return config
