"""Path A with the models that have to be fetched, on labelled photos of real people."""

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from dtst_flow.cluster.metrics import bcubed
from dtst_flow.dataset import sidecars
from helpers.dataset import Dataset


@pytest.fixture(scope="module")
def people(shared, tmp_path_factory) -> Dataset:
    """The identity photos, flattened into one bucket under unique names."""
    dataset = Dataset(tmp_path_factory.mktemp("real") / "people")
    bucket = dataset.folder / "images"
    bucket.mkdir(parents=True)
    for photo in sorted((shared / "data/faces_identity").rglob("*.*")):
        if photo.is_file():
            shutil.copyfile(photo, bucket / flat(photo, shared))
    return dataset


def flat(photo: Path, shared: Path) -> str:
    return "__".join(photo.relative_to(shared / "data/faces_identity").parts)


@pytest.fixture(scope="module", autouse=True)
def at_hand(shared):
    """The models beside the project stand in for those that were fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DTST_MODELS", str(shared / "models"))
        yield


def settings(shared: Path, engine: str, weights: str) -> dict:
    models = shared / "models"
    return {
        "extract_faces": {"engine": engine, "weights": str(models / weights)},
        "cluster": {"weights": str(models / "w600k_mbf_int8.onnx")},
    }


def identities(shared: Path) -> dict[str, str]:
    """Photo, relative to the dataset -> who is named to be in it."""
    with open(shared / "data/identities.csv", newline="") as file:
        return {
            f"images/{flat(shared / 'data' / row['file'], shared)}": row["identity"]
            for row in csv.DictReader(file)
        }


def test_scrfd_and_arcface_group_people(people, shared):
    people.run(settings=settings(shared, "scrfd", "det_500m.onnx"))
    known = identities(shared)
    found = {
        member["path"]: cluster["rank"]
        for cluster in people.clusters()["clusters"]
        for member in cluster["members"]
    }
    pairs = [
        (found.get(f"faces/{crop.name}"), known[origin(crop)])
        for crop in sorted((people.folder / "faces").glob("*_00.jpg"))
    ]
    assert len(pairs) >= 500
    assert bcubed(*zip(*pairs, strict=True))[2] >= 0.94


def origin(crop: Path) -> str:
    return sidecars.read(crop)["provenance"]["image"]


def test_one_photo_more_is_one_image_in_one_shard(people, shared):
    chosen = settings(shared, "scrfd", "det_500m.onnx")
    people.run(settings=chosen)
    source = sorted((people.folder / "images").glob("*Ariel_Sharon*"))[0]
    ImageOps.mirror(Image.open(source)).save(people.folder / "images/added.jpg")
    people.run(settings=chosen)
    assert people.jobs()["extract_faces"] == people.jobs()["embed"] == 1
    assert people.computed()["extract_faces"] == people.computed()["embed"] == 1
    (people.folder / "images/added.jpg").rename(people.folder / "images/renamed.jpg")
    people.run(settings=chosen)
    assert people.computed()["extract_faces"] == 0
    assert people.computed().get("embed", 0) == 0


def ids(dataset: Dataset) -> dict[str, str]:
    """Face -> the id of its cluster."""
    return {
        member["path"]: cluster["id"]
        for cluster in dataset.clusters()["clusters"]
        for member in cluster["members"]
    }


def test_ids_survive_one_percent_of_new_photos(people, shared):
    chosen = settings(shared, "scrfd", "det_500m.onnx")
    people.run(settings=chosen)
    before = ids(people)
    sources = sorted((people.folder / "images").glob("*.jpg"))[::100]
    for number, source in enumerate(sources):
        mirrored = ImageOps.mirror(Image.open(source).convert("RGB"))
        mirrored.save(people.folder / f"images/new_{number}.jpg")
    people.run(settings=chosen)
    after = ids(people)
    shared_faces = before.keys() & after.keys()
    assert len(shared_faces) > 450
    kept = sum(before[face] == after[face] for face in shared_faces)
    assert kept >= 0.99 * len(before)


def test_mediapipe_finds_faces_near_and_far(shared, group_photo, tmp_path):
    dataset = Dataset(tmp_path / "crowd")
    (dataset.folder / "images").mkdir(parents=True)
    shutil.copy(group_photo, dataset.folder / "images")
    chosen = settings(shared, "mediapipe", "face_landmarker.task")
    dataset.run(settings=chosen)
    assert len(list((dataset.folder / "faces").glob("*.jpg"))) >= 5
