"""The workflow's own folder on storage of its own, which may be cleared at any time."""

import os
import shutil
from pathlib import Path

import pytest

from helpers.dataset import NOTHING, ROOT, Dataset, photos_of

WORDS = ("run", "faces", str(ROOT / "demo/demo.yaml"))


@pytest.fixture
def moved(dataset, tmp_path) -> Dataset:
    """A finished dataset whose `.dtst` was moved to another place and linked."""
    shutil.move(dataset.folder / ".dtst", tmp_path / "scratch/crowd")
    (dataset.folder / ".dtst").symlink_to(tmp_path / "scratch/crowd")
    return dataset


def test_the_folder_may_be_a_link(moved, tmp_path):
    before = moved.results()
    assert NOTHING in moved.run()
    photos_of(moved)[0].unlink()
    moved.dtst(*WORDS, "-d", str(moved.folder))
    assert moved.results() != before
    assert (moved.folder / ".dtst").readlink() == tmp_path / "scratch/crowd"
    assert_as_from_nothing(moved, tmp_path)


def test_once_cleared_it_is_made_anew(moved, tmp_path):
    before = moved.results()
    shutil.rmtree(tmp_path / "scratch/crowd")
    moved.run()
    assert moved.results() == before
    shutil.rmtree(tmp_path / "scratch/crowd")
    moved.dtst(*WORDS, "-d", str(moved.folder))
    assert moved.results() == before


@pytest.mark.parametrize("way", ["snakemake", "dtst"])
def test_storage_that_is_not_there_is_told(moved, tmp_path, way):
    shutil.rmtree(tmp_path / "scratch")
    before = moved.results()
    if way == "dtst":
        printed = moved.dtst(*WORDS, "-d", str(moved.folder), ok=False)
    else:
        printed = moved.run(ok=False)
    assert f"{moved.folder / '.dtst'} leads to {tmp_path / 'scratch/crowd'}" in printed
    assert "Traceback" not in printed
    assert moved.results() == before


def test_times_cut_short_on_the_way_cost_nothing(dataset):
    """As in an archive, which keeps whole seconds."""
    before = dataset.results()
    for path in dataset.folder.rglob("*"):
        seconds = path.stat().st_mtime_ns // 10**9 * 10**9
        os.utime(path, ns=(seconds, seconds))
    dataset.run()
    assert dataset.jobs() == {}
    assert dataset.results() == before


def assert_as_from_nothing(dataset: Dataset, tmp_path: Path) -> None:
    anew = dataset.from_nothing(tmp_path / "anew")
    anew.run()
    assert dataset.results() == anew.results()
