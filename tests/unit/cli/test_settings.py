"""Schema, config.yaml and command line tell the same."""

from dataclasses import fields

import click
import pytest
import yaml
from jsonschema import Draft202012Validator

from dtst_flow.cli.main import main
from dtst_flow.cli.settings import choices
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.stages import cluster, extract_classes, extract_faces, select
from dtst_flow.utils import links
from helpers.dataset import ROOT

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
TOP = SCHEMA["properties"]
SECTIONS = {name: p["properties"] for name, p in TOP.items() if "properties" in p}


def test_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_every_default_is_valid():
    for props in (TOP, *SECTIONS.values()):
        for prop in props.values():
            Draft202012Validator(prop).validate(prop["default"])


def test_config_yaml_shows_defaults():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    Draft202012Validator(SCHEMA).validate(config)
    for name, value in config.items():
        if name in SECTIONS:
            defaults = {key: SECTIONS[name][key]["default"] for key in value}
            assert value == defaults
        else:
            assert value == TOP[name]["default"]


@pytest.mark.parametrize("section", SECTIONS)
def test_command_has_a_flag_for_every_setting(section):
    command = main.commands[section.replace("_", "-")]
    flags = {param.name for param in command.params if isinstance(param, click.Option)}
    assert set(SECTIONS[section]) <= flags


def test_options_of_stages_are_settings():
    for module in (extract_faces, extract_classes, cluster, select):
        names = {field.name for field in fields(module.Options)}
        assert names <= set(SECTIONS[module.__name__.rpartition(".")[2]])


def test_choices_are_what_there_is():
    assert set(SECTIONS["extract_faces"]["engine"]["enum"]) == set(engines.MODELS)
    assert set(choices(SECTIONS["cluster"]["model"])) == set(embedders.MODELS)
    for section in ("cluster", "select"):
        assert set(SECTIONS[section]["link"]["enum"]) == set(links.LINKERS)


def test_changelog_has_a_section_for_what_is_unreleased():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
