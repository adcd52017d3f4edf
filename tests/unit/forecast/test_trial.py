"""Stages tried for real, on copies of a few images."""

import os

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.forecast.trial import spread, try_stage
from dtst_flow.planning.config import complete_config
from dtst_flow.stages.registry import STAGES

COLOURS = [(0, 90, 200), (200, 30, 0), (0, 160, 40)]


@pytest.fixture
def photos(tmp_path, monkeypatch) -> list[str]:
    """A dataset of a few plain photos, in which we are; beside it is room for trials."""
    (tmp_path / "dataset/images").mkdir(parents=True)
    (tmp_path / "trial").mkdir()
    monkeypatch.chdir(tmp_path / "dataset")
    paths = [f"images/{number}.png" for number in range(3)]
    for path, colour in zip(paths, COLOURS, strict=True):
        Image.new("RGB", (64, 48), colour).save(path)
    return paths


def settings(stage: str, **values) -> dict:
    path = {"path": stage.replace("_", "-")}
    return complete_config(path)[stage] | values


def test_a_stage_is_tried_on_copies_and_the_next_on_what_it_left(
    photos, colours, tmp_path
):
    asked = settings("detect", classes="red,green", weights=str(colours))
    cost, crops = try_stage(STAGES["detect"], asked, photos, False, tmp_path / "trial")
    assert cost.image > 0 and cost.begin > 0 and cost.memory > 1e7
    assert cost.note == "calibrated on 3 images" and crops.crops == {}
    assert sorted(os.listdir(".")) == ["images"]
    assert not any(sidecars.path_of(path).exists() for path in photos)

    asked = settings("extract_classes", **{"from": "images", "to": "crops"})
    cost, crops = try_stage(
        STAGES["extract_classes"], asked, [], False, tmp_path / "trial"
    )
    assert cost.note == "calibrated on 2 images"  # nothing was found in the blue one
    assert set(crops.crops) == set(photos)
    assert crops.per_image >= 2 / 3 and crops.size > 0
    assert not os.path.exists("crops")


def test_without_images_or_what_a_trial_left_nothing_is_told(photos, tmp_path):
    asked = settings("extract_classes", **{"from": ["images"], "to": "crops"})
    folder = tmp_path / "trial"
    assert try_stage(STAGES["extract_classes"], asked, [], False, folder) is None


def test_a_trial_that_fails_tells_nothing(photos, tmp_path):
    asked = settings("extract_faces", weights="/no/such/file")
    folder = tmp_path / "trial"
    assert try_stage(STAGES["extract_faces"], asked, photos, False, folder) is None


@pytest.mark.parametrize(("count", "tried"), [(0, 0), (3, 3), (5, 5), (1000, 5)])
def test_images_to_try_are_spread_over_all(count, tried):
    images = [str(n) for n in range(count)]
    chosen = spread(images, 5)
    assert len(chosen) == len(set(chosen)) == tried
    if count > 5:
        assert chosen == ["100", "300", "500", "700", "900"]
