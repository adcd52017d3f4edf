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
from dtst_flow.dataset.provenance import sign
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.crops import of_faces
from dtst_flow.utils.files import to_json
from helpers.evidence import CLUSTERS, FACE


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
    faces = dataset / "faces"
    ledgers = Ledgers(faces, dataset / state_of("faces"), of_faces(faces))
    photos = ["images/photo.jpg", "images/two people.jpg"]
    return foreign_crops(faces, suspects(ledgers, numbered), photos)


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
    ours = sign({"provenance": FACE | {"image": "images/photo.jpg"}}, b"x")
    put(dataset / "faces/photo_00.jpg.json", to_json(ours).decode())
    put(dataset / "faces/notes.txt")
    assert crops(dataset) is None


@pytest.mark.parametrize("said", [{}, {"source": "flickr"}, FACE, "me", None])
def test_a_provenance_of_somebody_else_makes_no_crop_ours(dataset, said):
    put(dataset / "faces/photo_00.jpg")
    put(dataset / "faces/photo_00.jpg.json", to_json({"provenance": said}).decode())
    assert "has 1 crops" in str(crops(dataset))


def clusters(dataset: Path, check=foreign_clusters) -> str | None:
    return check(dataset / "cluster", dataset / state_of("cluster"))


@pytest.mark.parametrize(
    "other",
    [
        {"num_clusters": 2, "clusters": []},
        {"parameters": {"model": "x"}, "clusters": []},
        CLUSTERS | {"mine": 1},
        CLUSTERS | {"parameters": {"metric": "cosine"}},
        CLUSTERS | {"clusters": [{"members": 3}]},
        CLUSTERS | {"noise": [{"file": "noise/a.jpg"}]},
        [],
    ],
)
def test_clusters_of_another_program_are_noticed(dataset, other):
    assert clusters(dataset) is None
    put(dataset / "cluster/clusters.json", to_json(other).decode())
    assert "is of another program" in str(clusters(dataset))


@pytest.mark.parametrize("settle", [True, False])
def test_clusters_of_ours_are_ours_even_when_edited(dataset, settle):
    write(dataset, "cluster", "clusters.json", settle=settle)
    put(dataset / "cluster/clusters.json", "[]")
    assert clusters(dataset) is None


def test_clusters_of_ours_are_ours_without_a_ledger(dataset):
    put(dataset / "cluster/clusters.json", to_json(CLUSTERS).decode())
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
