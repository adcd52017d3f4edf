"""What is refused, and in which words."""

import pytest

from dtst_flow.utils import gpu
from helpers.dataset import DLIB, Dataset, photos_of

FACES = DLIB | {"path": "extract-faces"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"extract_faces": {"from": "pictures"}}, "folders in"),
        ({"extract_faces": {"from": "../other"}}, "outside the dataset folder"),
        ({"extract_faces": {"from": "images/*", "to": "images/faces"}}, "overlap"),
        ({"extract_faces": {"from": "images", "to": "images"}}, "overlap"),
        ({"extract_faces": {"engine": "dlb"}}, "dlb"),
        ({"extract_faces": {"max_sise": 3}}, "max_sise"),
        (
            {"extract_faces": {"engine": "dlib", "weights": "/nowhere/x.dat"}},
            "/nowhere/x.dat",
        ),
        ({"dataset": 7}, "7 is not of type 'string'"),
    ],
)
def test_bad_settings_are_named(dataset, settings, sentence):
    before = dataset.results()
    assert sentence in dataset.run(settings=settings, ok=False)
    assert dataset.results() == before


def test_a_key_that_is_there_twice_is_named(tmp_path):
    config = tmp_path / "crowd.yaml"
    config.write_text(f"root: {tmp_path}\ndataset: crowd\ndataset: other\n")
    printed = Dataset(tmp_path / "crowd").snakemake(
        "--configfile", str(config), "-n", ok=False
    )
    assert f"{config}: 'dataset' is there twice, in lines 2 and 3" in printed


def test_missing_dataset_is_named(dataset):
    settings = {"dataset": "nowhere"}
    printed = dataset.run(settings=settings, ok=False)
    assert "there is no dataset folder" in printed
    assert not (dataset.folder.parent / "nowhere").exists()
    printed = dataset.dtst("cluster", "-d", "nowhere", "--from", "x", ok=False)
    assert "there is no dataset folder nowhere" in printed


def test_photos_that_are_gone_take_no_result_along(dataset):
    for photo in photos_of(dataset):
        photo.rename(dataset.folder.parent / photo.name)
    before = dataset.results()
    assert "there is no image in 'images/*'" in dataset.run(ok=False)
    words = ("extract-faces", "-d", "crowd", "--engine", "dlib")
    assert "there is no image in 'images/*'" in dataset.dtst(*words, ok=False)
    assert dataset.results() == before


def test_a_drive_that_is_not_mounted_takes_no_result_along(dataset):
    folder, drive = dataset.folder / "images/roll2", dataset.folder.parent / "drive"
    folder.rename(drive)
    folder.symlink_to(drive)
    dataset.run(settings=FACES)
    drive.rename(dataset.folder.parent / "elsewhere")
    before = dataset.results()
    sentence = "'images/roll2' cannot be opened: it leads to"
    assert sentence in dataset.run(settings=FACES, ok=False)
    words = ("extract-faces", "-d", "crowd", "--engine", "dlib")
    assert sentence in dataset.dtst(*words, ok=False)
    assert dataset.results() == before


def test_what_cannot_be_read_before_a_run_is_no_reason_to_do_nothing(dataset):
    """Snakemake takes what is there for current where an input function fails."""
    ledger = dataset.folder / ".dtst/buckets/faces/ledger/s.jsonl"
    ledger.unlink()
    ledger.mkdir()
    photos_of(dataset)[0].unlink()
    before = dataset.results()
    assert "faces/ledger/s.jsonl: Is a directory" in dataset.run(ok=False)
    assert dataset.results() == before


@pytest.mark.skipif(gpu.count() > 0, reason="there is a GPU")
def test_missing_gpu_is_named(dataset):
    printed = dataset.run(settings=DLIB | {"gpu": True, "shard_size": 10}, ok=False)
    assert "was to have a GPU" in printed
    assert "gpu: false" in printed


@pytest.mark.parametrize("cores", ["0", "-1"])
def test_a_run_needs_a_core(dataset, cores):
    before = dataset.results()
    assert "--cores: a number from 1 on, or all" in dataset.run(
        "--cores", cores, ok=False
    )
    assert dataset.results() == before
