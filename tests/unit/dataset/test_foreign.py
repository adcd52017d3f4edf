"""Results of another program in a target."""

from pathlib import Path

import pytest

from dtst_flow.dataset.foreign import (
    foreign_clusters,
    foreign_crops,
    foreign_folders,
    suspects,
)
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import state_of


@pytest.fixture
def dataset(tmp_path) -> Path:
    for name in ("photo.jpg", "two people.jpg"):
        put(tmp_path / "images" / name)
    return tmp_path


def put(path: Path, content: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write(dataset: Path, bucket: str, *paths: str, settle: bool = True) -> None:
    """Write files as a stage does."""
    ledgers = Ledgers(dataset / bucket, dataset / state_of(bucket))
    part = Part(ledgers, "all")
    entries = [part.write(path, "key", lambda: b"ours")[0] for path in paths]
    if settle:
        ledgers.commit({"all": entries})


def crops(dataset: Path, numbered: bool = True) -> str | None:
    faces, state = dataset / "faces", dataset / state_of("faces")
    photos = ["images/photo.jpg", "images/two people.jpg"]
    return foreign_crops(faces, suspects(faces, state, numbered), photos)


def test_crops_of_the_other_dtst_are_noticed(dataset):
    assert crops(dataset) is None
    put(dataset / "faces/photo.jpg")
    put(dataset / "faces/two people_01.jpg")
    put(dataset / "faces/two people_01.jpg.json", '{"source": "flickr"}')
    said = crops(dataset)
    assert (
        said and "faces has 2 crops" in said and "photo.jpg of images/photo.jpg" in said
    )


def test_they_are_noticed_beside_ours(dataset):
    write(dataset, "faces", "photo_00.jpg", "photo_01.jpg")
    assert crops(dataset) is None
    put(dataset / "faces/photo.jpg")
    assert "has 1 crops" in str(crops(dataset))


def test_crops_of_classes_are_noticed_before_the_first_of_ours(dataset):
    put(dataset / "faces/photo_flower.jpg")
    assert "photo_flower.jpg" in str(crops(dataset, numbered=False))
    write(dataset, "faces", "two people_flower.jpg")
    assert crops(dataset, numbered=False) is None


def test_files_of_the_users_and_ours_are_not_foreign(dataset):
    put(dataset / "faces/my own.jpg")
    put(dataset / "faces/photo_00.jpg")
    put(dataset / "faces/photo_00.jpg.json", '{"provenance": {}}')
    put(dataset / "faces/notes.txt")
    assert crops(dataset) is None


def clusters(dataset: Path, check=foreign_clusters) -> str | None:
    return check(dataset / "cluster", dataset / state_of("cluster"))


def test_clusters_of_the_other_dtst_are_noticed(dataset):
    assert clusters(dataset) is None
    put(dataset / "cluster/clusters.json", '{"num_clusters": 2, "clusters": []}')
    assert "is of another program" in str(clusters(dataset))


@pytest.mark.parametrize("settle", [True, False])
def test_clusters_of_ours_are_ours_even_when_edited(dataset, settle):
    write(dataset, "cluster", "clusters.json", settle=settle)
    put(dataset / "cluster/clusters.json", "[]")
    assert clusters(dataset) is None


def test_clusters_of_ours_are_ours_without_a_ledger(dataset):
    put(dataset / "cluster/clusters.json", '{\n  "parameters": {}, "clusters": []}')
    put(dataset / "cluster/000/a.jpg")
    assert clusters(dataset) is None
    assert clusters(dataset, foreign_folders) is None


def test_folders_of_another_program_are_noticed(dataset):
    assert clusters(dataset, foreign_folders) is None
    put(dataset / "cluster/labels.csv")
    assert clusters(dataset, foreign_folders) is None
    put(dataset / "cluster/000/a.jpg")
    assert "folders of another program, such as 000" in str(
        clusters(dataset, foreign_folders)
    )
    write(dataset, "cluster", "000/b.jpg")
    assert clusters(dataset, foreign_folders) is None
