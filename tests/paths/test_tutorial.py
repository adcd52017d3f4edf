"""The tutorial: all its commands in the order of the page, on small real data.

Where a model has to be fetched, one of the development models stands in by --weights, or
the model that pip brings; `flower` and its like are COCO's classes there.
"""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.imaging import decode
from helpers.dataset import ROOT, Dataset

PAGE = ROOT / "docs/tutorial.md"
PEOPLE = ["Ariel_Sharon", "Colin_Powell", "Gerhard_Schroeder"]
EACH = 6
"""People in the photos and photos of each."""


@pytest.fixture(scope="module")
def models(shared) -> Iterator[dict[str, str]]:
    """Models by what they do; what is not named in a command was fetched."""
    files = {
        "mediapipe": "face_landmarker.task",
        "arcface": "w600k_mbf_int8.onnx",
        "detect": "yolo26n_int8.onnx",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DTST_MODELS", str(shared / "models"))
        yield {name: str(shared / "models" / file) for name, file in files.items()}


@pytest.fixture
def crowd(shared, tmp_path) -> Dataset:
    """Portraits of a few people, in three folders."""
    dataset = Dataset(tmp_path / "scratch/crowd")
    for person in PEOPLE:
        photos = sorted(
            (shared / "data/faces_identity/lfw_original" / person).glob("*.jpg")
        )
        for i, photo in enumerate(photos[:EACH]):
            folder = dataset.folder / "images" / ("search1", "search2", "frames")[i % 3]
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, folder)
    return dataset


@pytest.fixture
def dahlias(shared, tmp_path) -> Dataset:
    """Photos of streets and rooms, one of them with a sidecar."""
    dataset = Dataset(tmp_path / "scratch/dahlias")
    folder = dataset.folder / "images"
    folder.mkdir(parents=True)
    for photo in sorted((shared / "data/objects/coco").glob("*.jpg"))[:16]:
        shutil.copy(photo, folder)
    sidecars.write(photos_in(dataset)[0], {"source": "flickr"})
    return dataset


def photos_in(dataset: Dataset, bucket: str = "images") -> list[Path]:
    folder = dataset.folder / bucket
    return sorted(p for p in folder.rglob("*") if p.suffix in IMAGES.suffixes)


def folders(dataset: Dataset) -> list[str]:
    return sorted(p.name for p in (dataset.folder / "cluster").iterdir() if p.is_dir())


def example(name: str, folder: Path) -> list[str]:
    """Run a script of the page in a folder; returns the first words it prints."""
    blocks = re.findall(r"(?ms)^ *```python\n(.*?)```", PAGE.read_text())
    code = next(b for b in map(textwrap.dedent, blocks) if b.startswith(f"# {name}"))
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines()]


def test_path_a(crowd, models):
    def dtst(command: str, *words: str) -> str:
        """A command of the page, on its folder."""
        return crowd.dtst(command, "-d", "crowd", *words)

    mediapipe = ("--weights", models["mediapipe"])
    source = ("extract-faces", "--from", "images/*", "--to", "faces")
    dtst(*source, *mediapipe)
    faces = photos_in(crowd, "faces")
    assert len(faces) >= len(photos_in(crowd))
    for face in faces:
        height, width, _ = decode.read(face).shape
        assert width == height
    dtst(*source, "--max-faces", "1", *mediapipe)
    assert all(path.stem.endswith("_00") for path in photos_in(crowd, "faces"))
    dtst(*source, "--engine", "dlib")
    engines = {
        sidecars.read(p)["provenance"]["engine"] for p in photos_in(crowd, "faces")
    }
    assert engines == {"dlib"}
    dtst(*source, "--skip-partial", *mediapipe)
    whole = len(photos_in(crowd, "faces"))
    assert whole < len(faces)
    dlib = ("extract-faces", "--from", "images/*", "--to", "faces-dlib")
    dtst(*dlib, "--engine", "dlib")
    assert len(photos_in(crowd, "faces-dlib")) >= len(PEOPLE) * EACH
    assert len(photos_in(crowd, "faces")) == whole

    dtst(*source, *mediapipe)
    arcface = ("--weights", models["arcface"])
    cluster = ("cluster", "--from", "faces", "--to", "cluster")
    dtst(*cluster, *arcface)
    assert folders(crowd)[:3] == ["000", "001", "002"]
    for found in crowd.clusters()["clusters"]:
        assert len({Path(member["path"]).name[:6] for member in found["members"]}) == 1
    medoid = crowd.clusters()["clusters"][0]["medoid"]
    labels = crowd.folder / "cluster/labels.csv"
    labels.write_text(f"relation,image,other\nname,{medoid},Ann\n")
    dtst(*cluster, "--top", "2", *arcface)
    assert set(example("people.py", crowd.folder.parent.parent)) == {"Ann"}
    assert [name for name in folders(crowd) if name != "noise"] == ["000", "001"]
    printed = dtst("select", "--clusters", "Ann,002", "--min-quality", "0.1")
    assert "chosen of 2 clusters" in printed and "000 Ann (" in printed
    people = {path.name[:6] for path in photos_in(crowd, "curated")}
    assert len(people) == 2
    dtst(*cluster, "--min-cluster-size", "20", *arcface)
    assert folders(crowd) == ["noise"]
    mine = crowd.folder / "cluster/noise/mine.txt"
    mine.write_text("notes")
    dtst(*cluster, "--min-cluster-size", "20", "--clean", *arcface)
    assert folders(crowd) == ["noise"] and mine.exists()


def test_path_b(crowd, tmp_path):
    words = ("-d", "crowd", "--from", "images/*", "--to", "cluster", "--model")
    printed = crowd.dtst("cluster", *words, "clip", ok=False)
    assert "dtst models fetch clip_vit_b32" in printed  # nothing stands in for it
    crowd.dtst("cluster", *words, "efficientnet")
    listed = crowd.clusters()
    count = sum(c["size"] for c in listed["clusters"]) + len(listed["noise"])
    assert count == len(photos_in(crowd))


def test_path_c(dahlias, models):
    def dtst(command: str, *words: str, ok: bool = True) -> str:
        """A command of the page, on its folder."""
        return dahlias.dtst(command, "-d", "dahlias", *words, ok=ok)

    detect = ("detect", "--from", "images", "--weights", models["detect"])
    dtst(*detect, "--classes", "person")
    first = sidecars.read(photos_in(dahlias)[0])
    assert first["source"] == "flickr" and list(first["classes"]) == ["person"]
    dtst(*detect, "--classes", "person,car,chair")
    boxes = []
    for photo in photos_in(dahlias):
        found = sidecars.read(photo)["classes"]
        assert set(found) == {"person", "car", "chair"}
        scores = [entry["score"] for entry in found["person"]]
        assert scores == sorted(scores, reverse=True)
        boxes += found["person"]
    assert "'flower'" in dtst(*detect, "--classes", "flower", ok=False)

    cut = ("extract-classes", "--from", "images", "--to", "flowers")
    cut += ("--classes", "person")
    printed = dtst(*cut, "--dry-run")
    assert f"at most {len(boxes)} crops to write" in printed
    assert not (dahlias.folder / "flowers").exists()
    dtst(*cut)
    assert len(photos_in(dahlias, "flowers")) == len(boxes)
    for crop in photos_in(dahlias, "flowers"):
        (own, *_) = sidecars.read(crop)["classes"]["person"]
        assert min(own["box"]) >= 0
    square = (*cut, "--square", "--margin", "0.1")
    dtst(*square)
    shapes = [decode.read(crop).shape for crop in photos_in(dahlias, "flowers")]
    assert all(height == width for height, width, _ in shapes)
    dtst(*square, "--skip-partial")
    assert 0 < len(photos_in(dahlias, "flowers")) < len(boxes)
    dtst(*cut, "--min-score", "0.5")
    sure = [entry for entry in boxes if entry["score"] >= 0.5]
    assert len(photos_in(dahlias, "flowers")) == len(sure)
    dtst("cluster", "--from", "flowers", "--to", "cluster", "--model", "efficientnet")
    assert folders(dahlias)


@pytest.mark.parametrize("path", ["faces", "images", "classes"])
def test_plain_snakemake_gives_the_same(crowd, dahlias, models, path, tmp_path):
    """As on the page, settings apart, which stand in the config."""
    dataset = dahlias if path == "classes" else crowd
    settings = {
        "faces": {
            "extract_faces": {"weights": models["mediapipe"]},
            "cluster": {"weights": models["arcface"]},
        },
        "images": {"cluster": {"model": "efficientnet"}},
        "classes": {
            "detect": {
                "from": "images",
                "classes": "person,car",
                "weights": models["detect"],
            },
            "cluster": {"model": "efficientnet"},
        },
    }[path]
    anew = dataset.from_nothing(tmp_path / "anew")
    dataset.run("--config", f"path={path}", settings=settings)
    assert folders(dataset)
    config = tmp_path / "page.yaml"
    config.write_text(json.dumps(settings))
    anew.dtst("run", path, str(config), "-d", str(anew.folder))
    assert anew.results() == dataset.results()
