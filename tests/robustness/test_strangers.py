"""Datasets from strangers: what lies in one is data and never run, whoever packed it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.utils.tables import write_table
from helpers.dataset import Dataset, environment

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
        "from dtst_flow.cluster.hdbscan import parallel\n"
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


@pytest.mark.parametrize("name", ["crops", ".dtst/buckets/crops"])
def test_nothing_is_written_where_a_link_leads_out(given, tmp_path, name, survived):
    outside = tmp_path / "home"
    outside.mkdir()
    (outside / "a_x.jpg").write_text("mine")
    (given.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (given.folder / name).symlink_to(outside)
    words = ("--from", "images", "--to", "crops")
    printed = given.dtst("extract-classes", "-d", str(given.folder), *words, ok=False)
    assert "leads out of the dataset folder" in printed
    assert "leads out of the dataset folder" in given.run(settings=CUT, ok=False)
    there = {path.name: path.read_text() for path in outside.iterdir()}
    survived["files of the user lost"] += there.get("a_x.jpg") != "mine"
    assert there == {"a_x.jpg": "mine"}


@pytest.mark.parametrize("to", ["../home", "{absolute}", "a/../../home"])
def test_no_target_leads_out(given, tmp_path, to, survived):
    """Not even where the state that came along says that files there are ours."""
    outside = tmp_path / "home"
    outside.mkdir()
    (outside / "a_x.jpg").write_text("mine")
    to = to.format(absolute=outside)
    for folder in (given.folder / ".dtst/buckets" / to, outside):
        row = {"path": "a_x.jpg", "key": "", "stat": [4, 0], "written": []}
        write_table(folder / "ledger/s.jsonl", [row])
    settings = CUT | {"extract_classes": {"from": "images", "to": to}}
    assert "below the dataset folder" in given.run(settings=settings, ok=False)
    kept = (outside / "a_x.jpg").read_text() == "mine"
    survived["files of the user lost"] += not kept
    assert kept and (outside / "ledger/s.jsonl").exists()


def test_names_are_no_commands_and_no_patterns(given, tmp_path):
    name = 'it\'s "q" $(touch sprung) ;& {x} {wildcards.shard}'
    shutil.move(given.folder / "images", given.folder / name)
    settings = CUT | {
        "extract_classes": {
            "from": name,
            "to": "$(touch sprung) 'a'",
            "classes": ["{x}", "x", "{"],
        }
    }
    given.run(settings=settings)
    assert (given.folder / "$(touch sprung) 'a'/a_x.jpg").exists()
    assert not list(tmp_path.rglob("sprung"))


def test_braces_in_classes_to_detect_are_just_that(given, colours):
    detect = {"from": "images", "weights": str(colours), "classes": ["{red}"]}
    printed = given.run(settings={"path": "detect", "detect": detect}, ok=False)
    assert "cannot find" in printed and "'{red}', near is 'red'" in printed
