"""Path B as a user lives with it: whole images grouped by what they show."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.cluster.groups import Settings, group
from dtst_flow.cluster.metrics import bcubed
from dtst_flow.imaging import decode
from dtst_flow.utils.tables import read_table
from helpers.dataset import Dataset
from helpers.sights import MODEL, found_in, images_of


@pytest.fixture
def sights(grouped, tmp_path) -> Dataset:
    """A copy of the grouped dataset to change at will."""
    return grouped.copy(tmp_path)


def test_a_second_run_has_nothing_to_do_and_one_image_more_computes_one(
    sights, tmp_path
):
    assert "Nothing to be done" in sights.run(settings=MODEL)
    source = Image.open(sights.folder / images_of(sights)[0])
    source.rotate(4).save(sights.folder / "images/roll1/new.jpg")
    sights.run(settings=MODEL)
    assert sights.computed()["embed"] == 1
    anew = sights.from_nothing(tmp_path / "anew")
    anew.run(settings=MODEL | {"shard_size": 10})
    assert anew.results() == sights.results()


def test_the_commands_give_what_the_path_gives(sights, tmp_path):
    folder = str(sights.folder)
    words = (
        "run",
        "images",
        "-d",
        folder,
        "--model",
        "efficientnet",
        "--count-duplicates",
    )
    assert "nothing to do" in sights.dtst(*words)
    printed = sights.dtst(*words, "-n")
    count = len(images_of(sights))
    assert f"{count} images, 0 to compute, {count} known from records" in printed
    anew = sights.from_nothing(tmp_path / "anew")
    words = (
        "--from",
        "images/*",
        "--to",
        "cluster",
        "--model",
        "efficientnet",
        "--count-duplicates",
    )
    anew.dtst("cluster", "-d", str(anew.folder), *words)
    assert anew.results() == sights.results()


def test_clip_is_the_default_and_says_how_to_get_it(sights, monkeypatch, tmp_path):
    monkeypatch.setenv("DTST_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = sights.results()
    printed = sights.run(settings={"path": "images"}, ok=False)
    assert "dtst models fetch clip_vit_b32" in printed
    assert sights.results() == before


def test_an_unreadable_image_costs_only_itself(sights):
    broken = sights.folder / images_of(sights)[0]
    broken.write_bytes(b"no image")
    sights.run(settings=MODEL)
    assert len(images_of(sights)) - 1 == sum(
        len(list((sights.folder / "cluster").rglob(f"*{s}"))) for s in (".jpg",)
    )


def test_labelled_photos_are_grouped_far_better_than_by_their_pixels(shared, tmp_path):
    dataset = Dataset(tmp_path / "visual")
    with open(shared / "data/visual_labels.csv", newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    bucket = dataset.folder / "images"
    bucket.mkdir(parents=True)
    names = {path: path.replace("/", "__") for path in labels}
    for path, name in names.items():
        shutil.copyfile(shared / "data" / path, bucket / name)
    dataset.run(settings=MODEL)
    found = found_in(dataset)
    clusters = [found.get(f"images/{name}") for name in names.values()]
    f = bcubed(clusters, list(labels.values()))[2]
    assert f > 0.75
    assert f > by_pixels([shared / "data" / path for path in labels], labels) + 0.5


def by_pixels(paths: list[Path], labels: dict[str, str]) -> float:
    """BCubed F of the same clustering on the images' pixels, shrunk to 32 x 32."""
    small = [
        Image.fromarray(decode.read(path)).resize((32, 32), Image.Resampling.BOX)
        for path in paths
    ]
    rows = np.array([np.ravel(image) for image in small], np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    groups = group(rows, Settings(5, 2)).groups
    found = {i: rank for rank, g in enumerate(groups) for i in g.members}
    return bcubed([found.get(i) for i in range(len(paths))], list(labels.values()))[2]


def test_transparent_pixels_show_the_background(grouped, tmp_path):
    """The colour counts for what an image is like; changed back, nothing is computed."""
    dataset = grouped.from_nothing(tmp_path)
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    clear.save(dataset.folder / "images/clear.png")
    dataset.run(settings=MODEL)
    black = {"path": "images", "cluster": MODEL["cluster"] | {"background": "#000000"}}
    before = embedding_of(dataset)
    dataset.run(settings=black)
    assert embedding_of(dataset) != before
    dataset.run(settings=MODEL)
    assert dataset.computed()["embed"] == 0
    assert embedding_of(dataset) == before


def embedding_of(dataset: Dataset) -> bytes:
    state = dataset.folder / ".dtst/buckets/cluster/embeddings"
    rows = list(read_table(state / "s.jsonl"))
    place = [row["path"] for row in rows].index("images/clear.png")
    return np.load(state / "s.npy")[place].tobytes()
