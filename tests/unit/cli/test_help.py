"""Help, examples and completion."""

import shlex
import tomllib

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from dtst_flow.cli import main as cli
from dtst_flow.cli.help import EXAMPLES
from helpers.dataset import ROOT


def call(*words: str, **more):
    return CliRunner().invoke(cli.main, words, catch_exceptions=False, **more)


def commands(group: click.Group, *before: str):
    """All commands below a group that are none themselves, by their words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield " ".join((*before, name)), command


def test_every_command_has_examples():
    assert set(EXAMPLES) == {name for name, _ in commands(cli.main)}


@pytest.mark.parametrize("example", [e for lines in EXAMPLES.values() for e in lines])
def test_examples_are_accepted(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("crowd.yaml", "dahlias.yaml"):
        (tmp_path / name).write_text("working_dir: scratch")
    (tmp_path / "scratch/crowd").mkdir(parents=True)
    command, context = cli.main, click.Context(cli.main, info_name="dtst")
    words = shlex.split(example)
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context)


@pytest.mark.parametrize(("name", "command"), list(commands(cli.main)))
def test_help_has_what_is_common_last(name, command):
    printed = call(*name.split(), "--help").output
    assert printed == call("help", *name.split()).output
    assert "\nExamples:\n  main " in printed
    if command.name in ("faces", "cluster", "extract-faces"):
        assert (
            printed.index("--working-dir")
            < printed.index("--from")
            < printed.index("--min-cluster-size" if name != "extract-faces" else "--to")
            < printed.index("Common options:")
            < printed.index("--dry-run")
        )


def test_help_of_all():
    assert call("help").output == call("--help").output


def test_examples_call_the_program_as_it_was_called():
    printed = call("cluster", "--help", prog_name="dtst-flow").output
    assert "\n  dtst-flow cluster -d" in printed
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["dtst"] == scripts["dtst-flow"]


def complete(*words: str) -> list[tuple[str, str]]:
    """What a shell is offered for the last word: its kind and its value."""
    shell = ShellComplete(cli.main, {}, "dtst", "_DTST_COMPLETE")
    offered = shell.get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in offered]


def test_completion(tmp_path):
    for bucket in ("images/a", "images/b", "faces", ".dtst"):
        (tmp_path / "crowd" / bucket).mkdir(parents=True)
    d = ("-d", str(tmp_path / "crowd"))
    assert complete("cluster", "-d", "x") == [("dir", "x")]
    assert complete("cluster", "c") == [("file", "c")]
    assert complete("run", "mine", "c") == [("file", "c")]
    assert complete("cluster", "--weights", "w") == [("file", "w")]
    assert complete("cluster", *d, "--to", "") == [
        ("plain", "faces"),
        ("plain", "images"),
    ]
    assert complete("run", "faces", *d, "--cluster-to", "f") == [("plain", "faces")]
    assert complete("report", *d, "--to", "i") == [("plain", "images")]
    assert complete("cluster", *d, "--from", "faces,images/") == [
        ("plain", "faces,images/a"),
        ("plain", "faces,images/b"),
    ]
    assert complete("cluster", "-d", "nowhere", "--from", "") == []
    assert ("plain", "arcface") in complete("cluster", "--model", "a")
