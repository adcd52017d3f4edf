"""What is refused, and in which words."""

import pytest

from dtst_flow.utils import gpu
from helpers.dataset import DLIB


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


def test_missing_dataset_is_named(dataset):
    settings = {"dataset": "nowhere"}
    printed = dataset.run(settings=settings, ok=False)
    assert "there is no dataset folder" in printed
    assert not (dataset.folder.parent / "nowhere").exists()
    printed = dataset.dtst("cluster", "-d", "nowhere", "--from", "x", ok=False)
    assert "there is no dataset folder nowhere" in printed


@pytest.mark.skipif(gpu.count() > 0, reason="there is a GPU")
def test_missing_gpu_is_named(dataset):
    printed = dataset.run(settings=DLIB | {"gpu": True, "shard_size": 10}, ok=False)
    assert "was to have a GPU" in printed
    assert "gpu: false" in printed
