"""The versions in envs/ are those that are tested, and cover what the package imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml

from helpers.dataset import ROOT

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


ENVIRONMENTS = {
    path.stem: packages(yaml.safe_load(path.read_text()))
    for path in (ROOT / "envs").glob("*.yaml")
}
RULE = re.compile(
    r"""(?s)conda:\s+(?:environment\("(\w+)"\)|"../../envs/(\w+).yaml")"""
    r""".*?script:\s+"../../scripts/(\w+).py\""""
)
RULES = {
    script: with_gpu or without
    for path in (ROOT / "workflow/rules").glob("*.smk")
    for with_gpu, without, script in RULE.findall(path.read_text())
}
"""Script of a rule -> its environment."""

MODULES = {
    "dlib": "dlib-bin",
    "torch": "torch",
    "open_clip": "open-clip-torch",
    "ultralytics": "ultralytics",
}
"""Module -> the package that brings it, where none that is installed says so."""

PACKAGE = ROOT / "scripts/dtst_flow"

SAME = {"onnxruntime-gpu": "onnxruntime", "ai-edge-litert": "mediapipe"}
"""A package -> one that it stands in for."""


ROOMS = {
    "cluster": ("cluster",),
    "detect": ("detect", "models/onnx.py"),
    "embed": ("embed", "faces/dlib.py", "models/onnx.py", "models/graph.py"),
    "extract_faces": ("faces", "models/onnx.py"),
    "report": ("cluster", "report"),
    "vocabulary": ("detect", "models/onnx.py"),
}
"""Script -> what of the package it runs all of, with the imports inside of functions."""


def imports(script: str) -> tuple[set[str], set[str]]:
    """The modules from elsewhere that a rule's script and all below it import.

    The second of the sets holds those that the code looks for and does without.
    """
    found, optional, seen = set(), set(), set()
    rooms = [PACKAGE / room for room in ROOMS.get(script, ())]
    run = [file for room in rooms for file in [room, *room.rglob("*.py")]]

    def visit(path: Path) -> None:
        if path in seen or not path.is_file():
            return
        seen.add(path)
        for node in nodes(ast.parse(path.read_text()), into_functions=path in run):
            match node:
                case ast.Import(names):
                    found.update(name.name.partition(".")[0] for name in names)
                case ast.ImportFrom(module, names, 0):
                    found.add(module.partition(".")[0])
                    for name in (module, *(f"{module}.{name.name}" for name in names)):
                        base = ROOT / "scripts" / Path(*name.split("."))
                        visit(base / "__init__.py")
                        visit(base.with_suffix(".py"))
                case ast.Call(ast.Name("find_spec"), [ast.Constant(name)]):
                    optional.update({name, "torch"})  # all of these bring PyTorch

    for path in (ROOT / "scripts" / f"{script}.py", *run):
        visit(path)
    return found - set(sys.stdlib_module_names) - {PACKAGE.name}, optional


def nodes(tree: ast.AST, into_functions: bool) -> Iterator[ast.AST]:
    """All nodes of a syntax tree but what is there for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(ast.Name("TYPE_CHECKING")):
                continue
            case ast.FunctionDef() if not into_functions:
                continue
        yield node
        yield from nodes(node, into_functions)


def lacking(modules: set[str], environment: dict[str, str]) -> set[str]:
    """The modules that no package of an environment brings."""
    there = set(environment) | {SAME[name] for name in SAME if name in environment}
    brought = packages_distributions()

    def bringers(module: str) -> set[str]:
        names = {MODULES[module]} if module in MODULES else set(brought[module])
        return {re.sub(r"[-_.]+", "-", name).lower() for name in names}

    return {module for module in modules if not bringers(module) & there}


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_environment_pins_what_is_tested(name):
    pinned = dict(ENVIRONMENTS[name])
    assert pinned.pop("python") == "3.11"
    assert pinned == {package: TESTED[package] for package in pinned}


def test_every_rule_has_its_environment():
    named = set(map(str, RULES.values()))
    named |= {f"{name}-cuda" for name in named if f"{name}-cuda" in ENVIRONMENTS}
    assert named == set(ENVIRONMENTS)


@pytest.mark.parametrize("script", sorted(RULES))
def test_what_a_rule_imports_is_in_its_environment(script):
    imported, optional = imports(script)
    plain, cuda = (ENVIRONMENTS.get(RULES[script] + x, {}) for x in ("", "-cuda"))
    assert lacking(imported - optional, plain) == set()
    assert lacking(imported, plain | cuda) == set()
    assert not cuda or lacking(imported, cuda) == set()


def test_tested_versions_are_the_installed_ones():
    for name in ("snakemake", "numpy", "ai-edge-litert", "hdbscan", "mediapipe"):
        assert version(name) == TESTED[name]


def test_an_installed_package_brings_every_script():
    carried = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    scripts = {f"scripts/{path.name}" for path in (ROOT / "scripts").glob("*.py")}
    assert {name for name in carried if name.startswith("scripts/")} == scripts


def test_an_installed_package_is_the_workflow_with_types_and_licence():
    targets = PROJECT["tool"]["hatch"]["build"]["targets"]
    carried = targets["wheel"]["force-include"]
    for name in ("Snakefile", "workflow/Snakefile", "workflow/profiles/default"):
        assert (ROOT / name).exists()
        room = name.partition("/")[0]
        assert carried[room] == f"dtst_flow/workflow/{room}"
    # A link is left out of sdists, of which installers make wheels.
    assert targets["sdist"]["force-include"].keys() == {"workflow/profiles"}
    packages = targets["wheel"]["packages"]
    assert (ROOT / packages[0] / "py.typed").is_file()
    (licence,) = PROJECT["project"]["license-files"]
    assert (ROOT / licence).read_text().startswith(f"{PROJECT['project']['license']} ")


def test_the_container_takes_all_that_the_workflow_is():
    recipe = (ROOT / "envs/dtst-flow.def").read_text()
    copied = set(re.search(r"%files\n(.*?)\n\n", recipe, re.DOTALL)[1].split())
    built = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {name.partition("/")[0] for name in built} <= copied
    assert "--constraint constraints.txt" in recipe
