"""Images at which a decoder takes its process down, in real runs of Snakemake."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from dtst_flow.utils.tables import read_table
from helpers import curses
from helpers import dataset as datasets
from helpers.curses import ENDS
from helpers.dataset import DLIB, Dataset

TOLD = {"segv": "SIGSEGV", "kill": "SIGKILL", "abort": "SIGABRT", "exit": "exit code 3"}

IMAGES = {"path": "images", "cluster": {"model": "efficientnet", "batch_size": 8}}


@pytest.fixture
def curse(tmp_path, monkeypatch) -> None:
    """Pillow ends its process at a file that ends with one of the words."""
    curses.write(tmp_path / "curse")
    plain = datasets.environment()
    paths = os.pathsep.join([plain["PYTHONPATH"], str(tmp_path / "curse")])
    cursed = plain | {"PYTHONPATH": paths}
    monkeypatch.setattr(datasets, "environment", lambda: cursed)


def add(dataset: Dataset, *names: str) -> list[str]:
    """Add photos, each to end the process by the end in its name; returns their paths."""
    photo = min((dataset.folder / "images/roll1").iterdir())
    paths = [f"images/roll1/{name}.jpg" for name in names]
    for path, name in zip(paths, names, strict=True):
        with Image.open(photo) as image:
            ImageOps.mirror(image).save(dataset.folder / path)
        with open(dataset.folder / path, "ab") as file:
            file.write(name[2:].encode())
    return paths


def assert_right(dataset: Dataset, other: Dataset, bucket: str, *culprits: str) -> None:
    """Bucket and photos are byte for byte those of the other dataset, culprits apart."""
    ours, theirs = (
        {
            p: c
            for p, c in d.results().items()
            if p.startswith((f"{bucket}/", "images/"))
        }
        for d in (dataset, other)
    )
    assert all(ours.pop(path) for path in culprits)
    assert ours.keys() == theirs.keys()
    assert [path for path in ours if ours[path] != theirs[path]] == []


def failures(dataset: Dataset, bucket: str) -> dict[str, str]:
    """Image -> why it failed."""
    table = dataset.folder / ".dtst/buckets" / bucket / "failed.jsonl"
    return {row["path"]: row["reason"] for row in read_table(table)}


@pytest.mark.parametrize("workers", [1, 3])
def test_extract_faces(finished, tmp_path, curse, survived, workers):
    dataset = finished.from_nothing(tmp_path)
    names = [f"a-{end}" for end in ENDS] + ["z-segv"]
    culprits = add(dataset, *names)
    survived["faults injected"] += len(names)
    settings = {
        "path": "extract-faces",
        "extract_faces": {"engine": "dlib", "workers": workers},
    }
    printed = dataset.run(settings=settings)
    assert f"{len(names)} images could not be processed" in printed
    assert (
        "failed: 'images/roll1/a-abort.jpg': the process that worked on it" in printed
    )
    told = failures(dataset, "faces")
    assert sorted(told) == sorted(culprits)
    assert all(TOLD[name[2:]] in told[f"images/roll1/{name}.jpg"] for name in names)
    assert_right(dataset, finished, "faces", *culprits)
    computed = dataset.computed()["extract_faces"]
    assert computed == len(images_of(dataset)) - len(names)
    survived["faults survived"] += len(names)


def test_strictly(finished, tmp_path, curse, survived):
    dataset = Dataset(tmp_path / "few")
    (dataset.folder / "images/roll1").mkdir(parents=True)
    shutil.copy(images_of(finished)[0], dataset.folder / "images/roll1")
    [culprit] = add(dataset, "a-segv")
    survived["faults injected"] += 1
    settings = {"strict": True, "path": "extract-faces"}
    printed = dataset.run(settings=DLIB | settings, ok=False)
    assert "1 images failed and --strict was given" in printed
    assert culprit in printed and "SIGSEGV" in printed
    survived["faults survived"] += 1


def images_of(dataset: Dataset) -> list[Path]:
    return sorted((dataset.folder / "images").rglob("*.jpg"))


def without(dataset: Dataset, folder: Path, *paths: str) -> Dataset:
    """The same sources elsewhere, but for some."""
    other = dataset.from_nothing(folder)
    for path in paths:
        (other.folder / path).unlink()
    return other


def test_cluster_of_images(finished, tmp_path, curse, survived):
    """One in the first of several batches and one in the last."""
    dataset = finished.from_nothing(tmp_path / "ours")
    culprits = add(dataset, "a-segv", "z-kill")
    other = without(dataset, tmp_path / "theirs", *culprits)
    other.run(settings=IMAGES)
    survived["faults injected"] += 2
    dataset.run(settings=IMAGES)
    told = failures(dataset, "cluster")
    assert sorted(told) == culprits
    assert "SIGSEGV" in told[culprits[0]] and "SIGKILL" in told[culprits[1]]
    assert_right(dataset, other, "cluster", *culprits)
    assert dataset.computed()["embed"] == len(images_of(other))
    for path in culprits:
        (dataset.folder / path).unlink()
    dataset.run(settings=IMAGES)
    assert dataset.computed()["embed"] == 0  # not even those that shared a batch
    assert failures(dataset, "cluster") == {}
    survived["faults survived"] += 2


def test_cluster_of_faces(dataset, tmp_path, curse, survived):
    """A crop that ends the process, of a photo that does not; the others are known."""
    add(dataset, "a-none")
    dataset.run()
    [crop] = sorted((dataset.folder / "faces").glob("a-none_*.jpg"))
    bucket = dataset.folder / "hand-made"
    shutil.copytree(dataset.folder / "faces", bucket)
    with open(bucket / crop.name, "ab") as file:
        file.write(b"segv")
    survived["faults injected"] += 1
    settings = {
        "path": "cluster",
        "cluster": DLIB["cluster"] | {"from": "hand-made", "to": "people"},
    }
    dataset.run(settings=settings)
    told = failures(dataset, "people")
    assert list(told) == [f"hand-made/{crop.name}"]
    assert "SIGSEGV" in told[f"hand-made/{crop.name}"]
    placed = {p for p in dataset.results() if p.startswith("people/")}
    assert placed and not any("a-none" in path for path in placed)
    assert dataset.computed()["embed"] == 0
    survived["faults survived"] += 1


def test_the_curse_works(tmp_path, curse, group_photo):
    """It ends no process but that which opens such a file."""
    cursed = tmp_path / "cursed.jpg"
    cursed.write_bytes(group_photo.read_bytes() + b"segv")
    read = "import sys; from dtst_flow.imaging.decode import read; read(sys.argv[1])"
    done = [
        subprocess.run([sys.executable, "-c", read, name], env=datasets.environment())
        for name in (group_photo, cursed)
    ]
    assert [process.returncode for process in done] == [0, -signal.SIGSEGV]
