"""Whatever `dtst_flow` is installed, the one beside the Snakefile plans and works."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from helpers.dataset import ROOT

PARTS = ("Snakefile", "config", "envs", "profiles", "scripts", "workflow")

WITNESS = """
import multiprocessing, os, sys
with open(os.environ["WITNESS"], "a") as file:
    name = multiprocessing.current_process().name.partition("-")[0]
    file.write(f"{name} {os.path.basename(sys.argv[0]).rpartition('.')[0]}\\n")
"""
"""Notes the process in which the package is imported."""

IMPORTING_WORKERS = 0 if sys.platform == "linux" else 2
"""Workers that import it themselves: where they are forks, their job has done so."""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the project that is a witness of its imports."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    with open(folder / "scripts/dtst_flow/__init__.py", "a") as file:
        file.write(WITNESS)
    return folder


@pytest.fixture
def run(tmp_path, checkout) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Snakemake on two small images, with another `dtst_flow` first on the path."""
    images = tmp_path / "crowd/images"
    images.mkdir(parents=True)
    for i in range(2):
        Image.new("L", (32, 32), 80 * i).save(images / f"{i}.png")
    settings = {"root": str(tmp_path), "dataset": "crowd", "path": "extract-faces"}
    settings["extract_faces"] = {"from": "images", "engine": "dlib", "workers": 2}
    override = tmp_path / "settings.json"
    override.write_text(json.dumps(settings))

    def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
        names = ["-s", checkout / "Snakefile", "--configfile", override]
        added = {"PYTHONPATH": str(installed), "WITNESS": str(tmp_path / "witness")}
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *names, "--cores", "2", *words],
            cwd=tmp_path,
            env=os.environ | added,
            capture_output=True,
            text=True,
        )

    return run


def test_an_installed_copy_of_another_version_is_not_imported(run, tmp_path):
    other = tmp_path / "site-packages/dtst_flow"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('raise ImportError("of another version")\n')
    done = run(other.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 images: 0 crops; 2 images show no face" in done.stdout
    lines = (tmp_path / "witness").read_text().splitlines()
    # Snakemake puts the script of a job into a file, with something before its name.
    witnesses = sorted(re.sub(r" tmp\w+\.", " ", line) for line in lines)
    assert witnesses == [
        "MainProcess __main__",
        "MainProcess collect",
        "MainProcess extract_faces",
        "MainProcess inventory",
        *["SpawnProcess extract_faces"] * IMPORTING_WORKERS,
    ]


def test_a_copy_that_was_imported_before_is_refused(run, checkout):
    snakefile = checkout / "Snakefile"
    snakefile.write_text(f"import dtst_flow\n{snakefile.read_text()}")
    done = run(ROOT / "scripts", "--dry-run")
    assert done.returncode == 1
    assert f"dtst_flow was imported from {ROOT}" in done.stdout + done.stderr
