"""Datasets from strangers: what lies in one is data and never run, whoever packed it."""

import subprocess
import sys
from pathlib import Path

import pytest
from dataset import Dataset, environment
from PIL import Image

from dtst_flow import sidecars

CUT = {
    "path": "extract-classes",
    "extract_classes": {"from": "images", "to": "crops"},
}


@pytest.fixture
def given(tmp_path) -> Dataset:
    """A dataset of one photo with a box."""
    dataset = Dataset(tmp_path / "given")
    (dataset.folder / "images").mkdir(parents=True)
    Image.new("RGB", (64, 48), "red").save(dataset.folder / "images/a.jpg")
    boxes = {"classes": {"x": [{"box": [1, 1, 20, 20]}]}}
    sidecars.write(dataset.folder / "images/a.jpg", boxes)
    return dataset


@pytest.fixture
def trap(tmp_path) -> Path:
    """A file that is made when something of the stranger's is run."""
    return tmp_path / "sprung"


def cut(dataset: Dataset, way: str) -> None:
    """Run extract-classes by the wrapper, or by Snakemake alone."""
    if way == "dtst":
        words = ("--from", "images", "--to", "crops")
        dataset.dtst("extract-classes", "-d", str(dataset.folder), *words)
    else:
        dataset.run(settings=CUT)
    assert (dataset.folder / "crops/a_x.jpg").exists()


@pytest.mark.parametrize("way", ["dtst", "snakemake"])
def test_modules_in_a_dataset_are_not_imported(given, trap, way):
    code = f"open({str(trap)!r}, 'w')\nraise SystemExit('sprung')\n"
    for folder in (given.folder, given.folder / ".snakemake/scripts"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("snakemake", "pulp", "yaml", "numpy", "PIL", "dtst_flow"):
            (folder / f"{name}.py").write_text(code)
    cut(given, way)
    assert not trap.exists()


@pytest.mark.parametrize("folder", ["default", "profiles/default"])
def test_a_profile_in_a_dataset_is_passed_over(given, trap, folder):
    profile = given.folder / folder / "config.yaml"
    profile.parent.mkdir(parents=True)
    spring = f"open({str(trap)!r}, 'w').name and 'rules'"
    profile.write_text(f"__use_yte__: true\nquiet: ?{spring}\n")
    cut(given, "dtst")
    assert not trap.exists()


def test_machine_code_in_a_dataset_is_not_loaded(tmp_path):
    (tmp_path / ".numba_config.yaml").write_text("cache_dir: mine\n")
    code = (
        "from dtst_flow.cluster.hdbscan import compiled\n"
        "from numba import config\n"
        "print([config.CACHE_DIR])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['']\n", done.stderr
