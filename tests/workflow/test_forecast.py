"""What a dry run says of time, disk and memory, and how far off that was, for real."""

import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from dtst_flow.forecast import costs
from dtst_flow.utils.files import digest
from helpers.dataset import Dataset, photos_of

PHOTOS = 12


@pytest.fixture
def few(finished, tmp_path) -> Dataset:
    """Some of the demonstration photos, nothing run on them yet."""
    folder = tmp_path / "few"
    (folder / "images").mkdir(parents=True)
    for photo in photos_of(finished)[:PHOTOS]:
        shutil.copy(photo, folder / "images")
    return Dataset(folder)


def words(dataset: Dataset, *more: str) -> tuple[str, ...]:
    return ("extract-faces", "-d", str(dataset.folder), "--engine", "dlib", *more)


def make_dear(dataset: Dataset) -> None:
    """Have it that so far every image took 100 seconds, and all else none."""
    costs.file().parent.mkdir(exist_ok=True)
    rows = [
        replace(cost, image=100.0, begin=0.0, memory=7e8)
        for key, cost in costs.read().items()
        if key == costs.RUN or f'"{dataset.folder}"' in key
    ]
    costs.file().write_text("".join(json.dumps(asdict(cost)) + "\n" for cost in rows))


def make_known(dataset: Dataset, seconds: float) -> None:
    """Have it that the last dry run said so."""
    name = digest(os.fsencode(os.path.realpath(dataset.folder)))
    path = costs.file().parent / f"forecasts/{name}.json"
    path.write_text(json.dumps([json.loads(path.read_text())[0], seconds]))


def add(dataset: Dataset, name: str) -> None:
    """Add a photo that is new."""
    photo: Path = dataset.folder / "images" / name
    image = ImageOps.mirror(Image.open(photos_of(dataset)[0]))
    image.rotate(len(name)).save(photo)


def test_a_forecast_is_made_by_trying_then_from_what_runs_cost(few):
    before = few.listing()
    printed = few.dtst(*words(few, "-n"))
    assert f"{PHOTOS} images, {PHOTOS} to compute, 0 known from records" in printed
    assert "; calibrated on 5 images" in printed
    assert few.listing() == before
    printed = few.dtst(*words(few))
    assert "took " in printed and "; the forecast said " in printed
    shutil.rmtree(few.folder / ".dtst/records")
    make_dear(few)
    before = few.listing()
    printed = few.dtst(*words(few, "-n", "--cores", "1"))
    assert f"{PHOTOS} images, {PHOTOS} to compute, 0 known from records" in printed
    assert "  about 20 min on 1 core, " in printed and "calibrated" not in printed
    assert " free), 700 MB of memory" in printed
    profile = few.folder.parent / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text("cores: 1\n")
    printed = few.dtst(*words(few, "-n", "--profile", str(profile)))
    assert "  about 20 min of CPU time\n" in printed
    assert few.listing() == before


def test_a_forecast_is_held_against_a_run_of_snakemake_as_well(few):
    path = {"path": "extract-faces", "extract_faces": {"engine": "dlib"}}
    few.dtst(*words(few, "-n"))
    make_known(few, 1000.0)
    printed = few.run(settings=path)
    assert "; the forecast said 17 min (" in printed and " % more)" in printed
    add(few, "first.jpg")
    few.dtst(*words(few, "-n"))
    add(few, "second.jpg")  # of which the forecast knew nothing
    assert "the forecast said" not in few.run(settings=path)
