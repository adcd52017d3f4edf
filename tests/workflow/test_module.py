"""The workflow as a part of another: as a module, or a command of one of its rules."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.dataset import DLIB, NOTHING, ROOT, Dataset

PLACE = "/path/to/dtst-flow"
"""What examples have for the checkout."""

DOCS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
EXAMPLES = re.findall(
    r"(?s)```python\n(.*?)```", "".join(path.read_text() for path in DOCS)
)
MODULE = next(text for text in EXAMPLES if text.startswith("module dtst:"))
COMMAND = next(text for text in EXAMPLES if "dtst run faces" in text)
RULES, HOOKS = re.split(r"(?m)^(?=rule people|onstart)", MODULE)[::2]
"""The module and its rules, and what tells it of the run's begin and end."""


class Outer:
    """A workflow beside a dataset that has the dataset's as a module."""

    def __init__(self, dataset: Dataset, text: str = MODULE):
        self.dataset = dataset
        self.snakefile = dataset.folder.parent / "outer.smk"
        self.snakefile.write_text(text.replace(PLACE, str(ROOT)))

    def run(self, *words: str, ok: bool = True) -> str:
        names = {"root": str(self.dataset.folder.parent), "dataset": "crowd"}
        config = self.snakefile.with_suffix(".json")
        config.write_text(json.dumps({"dtst": names | DLIB}))
        words = ("--configfile", str(config), "--cores", "2", *words)
        return self.dataset.snakemake(*words, ok=ok, snakefile=self.snakefile)


def scheduled(printed: str) -> set[str]:
    """The rules that a dry run lists jobs of."""
    lines = (line.split() for line in printed.splitlines())
    return {words[0] for words in lines if len(words) == 2 and words[1].isdecimal()}


def test_a_module_gives_what_the_path_gives(finished, tmp_path):
    outer = Outer(finished.from_nothing(tmp_path))
    printed = outer.run()
    assert "Finished jobid: 0 (Rule: people)" in printed
    assert "extract-faces -> " in printed and "images computed, in " in printed
    ours, theirs = outer.dataset.results(), finished.results()
    assert ours.pop("people.txt").startswith(b"000\n")
    theirs.pop("people.csv", None)
    assert ours == theirs
    assert not (outer.dataset.folder / ".dtst/run.json").exists()
    assert NOTHING in outer.run()
    assert NOTHING in outer.dataset.run()


def test_a_module_restores_what_was_deleted(dataset):
    before = dataset.results()
    outer = Outer(dataset, MODULE.removesuffix(HOOKS))
    crop = min((dataset.folder / "faces").glob("*.jpg"))
    crop.unlink()
    told = outer.run("--dry-run")
    assert "1 file in faces was edited or deleted" in told
    assert {"dtst_extract_faces", "dtst_cluster", "people"} <= scheduled(told)
    printed = outer.run("--until", "dtst_extract_faces")
    assert "(Rule: dtst_extract_faces)" in printed
    assert "(Rule: dtst_cluster)" not in printed
    assert crop.exists()
    outer.run()
    after = dataset.results()
    after.pop("people.txt")
    assert after == before


@pytest.mark.parametrize("folder", ["", "/workflow"], ids=["root", "workflow"])
def test_a_module_leaves_the_first_rule_its_place(dataset, folder):
    min((dataset.folder / "faces").glob("*.jpg")).unlink()
    rules = RULES.replace("/workflow", folder)
    assert "dtst_all" in scheduled(Outer(dataset, rules).run("--dry-run"))
    first = 'rule first:\n    output: "first.txt"\n    shell: "touch {output}"\n'
    told = Outer(dataset, first + rules).run("--dry-run")
    assert "first" in scheduled(told) and "dtst_all" not in scheduled(told)


def test_the_snakefile_of_the_workflow_folder_is_the_workflow(dataset):
    min((dataset.folder / "faces").glob("*.jpg")).unlink()
    override = dataset.folder.parent / "settings.json"
    names = {"root": str(dataset.folder.parent), "dataset": "crowd"}
    override.write_text(json.dumps(names | DLIB))
    # Without --cores: it has the default profile beside it, too.
    snakefile = ROOT / "workflow/Snakefile"
    printed = dataset.snakemake("--configfile", str(override), snakefile=snakefile)
    assert "(Rule: extract_faces)" in printed and "(Rule: all)" in printed
    assert "extract-faces -> " in printed


def test_a_module_works_in_its_dataset_folder_alone(dataset, tmp_path):
    told = Outer(dataset).run("--directory", str(tmp_path), "--dry-run", ok=False)
    assert f"the run works in {tmp_path}, not in the dataset folder" in told
    other = dataset.from_nothing(tmp_path / "other")
    settings = {"root": str(other.folder.parent), "dataset": "crowd"}
    settings |= {"extract_faces": {"to": "f"}, "cluster": {"to": "c"}}
    second = RULES.replace('config["dtst"]', str(settings))
    second = second.replace("module dtst", "module other").replace(
        "dtst as dtst_", "other as other_"
    )
    told = Outer(dataset, MODULE + second).run("--dry-run", ok=False)
    assert f"the run works in {other.folder}, not in the dataset folder" in told


def test_a_module_from_a_code_host_is_refused(dataset, tmp_path):
    cache = tmp_path / "cache"
    clone = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com"
    commit = repository(clone / "owner/dtst-flow")
    place = f"github('owner/dtst-flow', path='workflow/Snakefile', commit='{commit}')"
    outer = Outer(dataset, MODULE.replace(f'"{PLACE}/workflow/Snakefile"', place))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        told = outer.run("--dry-run", ok=False)
    assert "dtst-flow must be in a folder on this disk" in told


def repository(folder: Path) -> str:
    """Make a repository of the workflow's rules, as a clone has it; returns the commit."""
    for name in ("Snakefile", "config", "workflow"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        folder.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, folder / name)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-C", folder]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "test: a clone"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True)
    return head.stdout.decode().strip()


def test_the_command_is_a_rule_of_another_workflow(dataset, tmp_path, monkeypatch):
    program = tmp_path / "bin/dtst"
    program.parent.mkdir()
    main = "from dtst_flow.cli.main import main; main(prog_name='dtst')"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{main}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    before = dataset.results()
    min((dataset.folder / "faces").glob("*.jpg")).unlink()
    target = 'rule all:\n    input: "crowd.faces"\n'
    shutil.copy(ROOT / "demo/demo.yaml", tmp_path / "faces.yaml")
    outer = Outer(dataset, target + COMMAND)
    assert "extract-faces -> " in outer.run()
    assert dataset.results() == before
    assert NOTHING in outer.run()
