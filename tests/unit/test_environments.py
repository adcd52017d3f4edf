"""The versions in envs/ are those that are tested, and cover what the package imports."""

import re
import tomllib
from importlib.metadata import version

import pytest
import yaml
from dataset import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    re.findall(r"(?m)^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text())
)
TESTED = {re.sub(r"[-_.]+", "-", name).lower(): pin for name, pin in PINS.items()}


def packages(env: dict) -> dict[str, str]:
    """Package -> pinned version, of conda and pip alike."""
    conda = [d for d in env["dependencies"] if isinstance(d, str) and d != "pip"]
    pip = [p for d in env["dependencies"] if isinstance(d, dict) for p in d["pip"]]
    return dict(re.split("==?", dependency) for dependency in (*conda, *pip))


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=str)
def test_environment_pins_what_is_tested(path):
    pinned = packages(yaml.safe_load(path.read_text()))
    assert pinned.pop("python") == "3.11"
    assert pinned == {name: TESTED[name] for name in pinned}


def test_every_rule_has_its_environment():
    named = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        named |= set(re.findall(r"envs/(\w+)\.yaml", path.read_text()))
    assert named == {path.stem for path in (ROOT / "envs").glob("*.yaml")}


def test_tested_versions_are_the_installed_ones():
    for name in ("snakemake", "numpy", "mediapipe", "insightface", "hdbscan"):
        assert version(name) == TESTED[name]


def test_an_installed_package_brings_every_script():
    carried = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    scripts = {f"scripts/{path.name}" for path in (ROOT / "scripts").glob("*.py")}
    assert {name for name in carried if name.startswith("scripts/")} == scripts
