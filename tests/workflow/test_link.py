"""cluster --link in the workflow; what it lays out is tested with the stage."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from helpers.dataset import Dataset

NOTHING = "Nothing to be done"

FOLDERS = ("roll0", "roll1", "roll2")
BOX = {"score": 0.9, "box": [10, 10, 50, 50]}


def settings(link: str, **values) -> dict:
    chosen = {"model": "efficientnet", "min_cluster_size": 3, "link": link}
    return {"path": "images", "cluster": chosen | values}


@pytest.fixture(scope="module")
def linked(tmp_path_factory) -> Dataset:
    """Images of equal names in three folders, some with sidecars, as links in clusters."""
    dataset = Dataset(tmp_path_factory.mktemp("link") / "crowd")
    for i, folder in enumerate(FOLDERS):
        (dataset.folder / "images" / folder).mkdir(parents=True)
        for colour in ("red", "green"):
            image = Image.new("RGB", (64, 64), colour)
            image.paste("white", (0, 0, 8 + i, 8))
            image.save(dataset.folder / f"images/{folder}/{colour}.jpg")
        red = dataset.folder / f"images/{folder}/red.jpg"
        sidecars.write(red, {"classes": {"dot": [BOX]}})
    dataset.run(settings=settings("symbolic"))
    return dataset


@pytest.fixture
def crowd(linked, tmp_path) -> Dataset:
    """A copy of the dataset to change at will."""
    shutil.copytree(linked.folder, tmp_path / "crowd", symlinks=True)
    return Dataset(tmp_path / "crowd")


def laid_out(dataset: Dataset) -> list[Path]:
    return sorted((dataset.folder / "cluster").glob("*/*.jpg"))


def test_another_kind_is_laid_out_without_a_model_and_gives_the_same(crowd, tmp_path):
    before = crowd.results()
    assert NOTHING in crowd.run(settings=settings("symbolic"))
    words = ("cluster", "-d", str(crowd.folder), "--from", "images/*", "--link", "hard")
    crowd.dtst(*words, "--model", "efficientnet", "--min-cluster-size", "3")
    assert crowd.jobs() == {"cluster": 1}
    assert len(laid_out(crowd)) == 6
    for path in laid_out(crowd):
        assert path.stat().st_nlink == 2 and not path.is_symlink()
    assert crowd.results() == before
    assert NOTHING in crowd.run(settings=settings("hard"))
    anew = crowd.from_nothing(tmp_path / "anew")
    anew.run(settings=settings("copy"))
    assert anew.results() == before


def test_links_are_restored_and_stay_when_the_dataset_moved(crowd, tmp_path):
    first, second = laid_out(crowd)[:2]
    first.unlink()
    second.unlink()
    second.write_bytes(b"the user's own")
    crowd.run(settings=settings("symbolic"))
    (tmp_path / "elsewhere").mkdir()
    crowd.folder.rename(tmp_path / "elsewhere/crowd")
    moved = Dataset(tmp_path / "elsewhere/crowd")
    assert len(laid_out(moved)) == 6
    for path in laid_out(moved):
        assert os.readlink(path).startswith("../../images/roll")
        assert path.is_file()
    assert NOTHING in moved.run(settings=settings("symbolic"))


def test_a_linked_bucket_can_be_a_source(crowd):
    cut = {"path": "extract-classes", "extract_classes": {"from": "cluster/*"}}
    crowd.run(settings=cut)
    crops = {p.name: p.read_bytes() for p in (crowd.folder / "crops").iterdir()}
    assert len(crops) == 2 * len(FOLDERS)
    shutil.rmtree(crowd.folder / "crops")
    crowd.run(settings=settings("copy"))
    crowd.run(settings=cut)
    assert crops == {p.name: p.read_bytes() for p in (crowd.folder / "crops").iterdir()}
