"""The complete config: what is asked for, on top of config/config.yaml and the schema."""

import functools
from collections.abc import Mapping
from typing import Any

import yaml

from dtst_flow.planning.home import home
from dtst_flow.planning.schema import check, read_texts


@functools.cache
def read_schema() -> dict[str, Any]:
    """Read the schema of the config; not to be changed by who gets it."""
    path = home() / "workflow" / "schemas" / "config.schema.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schema: dict[str, Any] = yaml.load(path.read_bytes(), loader)
    return schema


def complete_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a config as a run of Snakemake does that gets it by --configfile.

    Args:
        given: The settings asked for; those of a section may be any of it.

    Returns:
        All settings, as `plan.make_plan` takes them.

    Raises:
        BadSettings: One of them cannot be used.
    """
    config = yaml.safe_load((home() / "config" / "config.yaml").read_bytes())
    for name, value in given.items():
        section = config.get(name)
        both = isinstance(section, dict) and isinstance(value, dict)
        config[name] = section | value if both else value
    return settled(config)


def settled(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a config against the schema and complete it.

    Args:
        config: The config, where ``--config`` gave a value as text.

    Returns:
        All settings, each of the schema's type.

    Raises:
        BadSettings: One of them cannot be used.
    """
    schema = read_schema()
    settings = read_texts(dict(config), schema)
    check(settings, schema)
    return _with_defaults(settings, schema)


def _with_defaults(settings: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    complete = {}
    for name, wanted in schema["properties"].items():
        value = settings.get(name, wanted["default"])
        nested = "properties" in wanted
        complete[name] = _with_defaults(value, wanted) if nested else _plain(value)
    return complete


def _plain(value: Any) -> Any:
    """Spell a value one way: a flag gives 1.0 where a file gives 1, of one meaning."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
