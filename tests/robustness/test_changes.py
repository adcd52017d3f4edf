"""Images that somebody replaces or deletes while a run is at work.

The inventory noted what the images hold; the jobs read them later, and must not take the
new pixels for the old ones.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.cache import packs
from dtst_flow.dataset import digests, inventory, sidecars
from dtst_flow.dataset.state import RECORDS
from dtst_flow.models import store
from dtst_flow.stages import cluster, detect, embed, extract_classes, extract_faces
from dtst_flow.stages.cluster import ClusterJob
from dtst_flow.stages.contract import ShardJob
from dtst_flow.utils.tables import read_table, write_table
from helpers.dataset import DLIB, Dataset

SENTENCE = "1 image changed while the run was at work, first: 'images/a.png'; run again"
FACES = DLIB | {"path": "extract-faces"}
STATE = Path(".dtst/buckets/made")
SIDECAR = {
    "classes": {"thing": [{"box": [20, 300, 100, 400]}]},
    "provenance": {
        "points": [[290, 110], [330, 110], [310, 130], [295, 150], [325, 150]],
        "size": [640, 443],
    },
}
TABLES = [str(STATE / "tables/s.jsonl"), str(STATE / "failed/s.jsonl")]


def find_faces(manifest: str, **limits: int) -> None:
    weights = store.resolve("dlib_68_points")
    options = extract_faces.Options(engine="dlib", **limits)
    extract_faces.extract(ShardJob(manifest, *TABLES), "made", options, [weights])


def find_objects(manifest: str, **limits: int) -> None:
    weights = store.resolve("yolo26n", "colours.onnx")
    learnt = str(STATE / "vocabulary.json")
    detect.learn(["red", "green"], weights, learnt)
    options = detect.Options(classes="red,green", **limits)
    job = ShardJob(manifest, *TABLES, vocabulary=learnt)
    detect.look(job, options, weights)


def cut_objects(manifest: str, **limits: int) -> None:
    options = extract_classes.Options(**limits)
    extract_classes.cut(ShardJob(manifest, *TABLES), "made", options)


def embed_images(manifest: str, **limits: int) -> None:
    weights = store.resolve("efficientnet_lite0")
    job = ShardJob(manifest, *TABLES, str(STATE / "s.npy"), workers=2)
    embed.embed(job, embed.Options("efficientnet", **limits), weights)


def embed_faces(manifest: str, **limits: int) -> None:
    weights = store.resolve("dlib_resnet")
    job = ShardJob(manifest, *TABLES, str(STATE / "s.npy"))
    embed.embed(job, embed.Options("dlib", **limits), weights)


def lay_out(manifest: str) -> None:
    embedded = str(STATE / "embedded/s.jsonl")
    rows = [row | {"aligned": None, "hash": "0"} for row in read_table(manifest)]
    write_table(embedded, rows)
    np.save(STATE / "embedded.npy", np.eye(len(rows), 4, dtype=np.float32))
    options = cluster.Options("efficientnet")
    arrays = [str(STATE / "embedded.npy")]
    failed = str(STATE / "not_embedded/s.jsonl")
    write_table(failed, [])
    job = ClusterJob([embedded], arrays, [failed], str(STATE / "inventory"), *TABLES)
    cluster.cluster(job, "made", options)


STAGES = [find_faces, find_objects, cut_objects, embed_images, embed_faces, lay_out]


def list_images() -> str:
    """The inventory; returns the manifest of the only shard."""
    folder = STATE / "inventory"
    shutil.rmtree(folder, ignore_errors=True)
    inventory.write(".", ["images"], folder, STATE / digests.FILE, 1000)
    return str(folder / "s.jsonl")


def results() -> dict[str, bytes]:
    """Path -> content of the tables and all that was made of the images; the records."""
    made = [STATE / "tables", STATE / "failed", Path("made"), Path("images")]
    files = [path for folder in made for path in folder.rglob("*") if path.is_file()]
    found = {str(p): b"" if p.suffix == ".jsonl" else p.read_bytes() for p in files}
    for folder in RECORDS.glob("*"):
        for pack in packs.load(folder):
            found |= dict(pack.rows())
    return found


def replace(path: Path, other: bytes) -> None:
    path.write_bytes(other)


def swap(path: Path, other: bytes) -> None:
    """Another file of the name, as editors write them."""
    new = path.with_name(".new")
    new.write_bytes(other)
    new.replace(path)


def cut_short(path: Path, other: bytes) -> None:
    os.truncate(path, path.stat().st_size // 2)


def delete(path: Path, other: bytes) -> None:
    path.unlink()


def turn_into_a_folder(path: Path, other: bytes) -> None:
    path.unlink()
    path.mkdir()


def restore(path: Path, content: bytes) -> None:
    if path.is_dir():
        path.rmdir()
    path.write_bytes(content)


@pytest.fixture
def folder(tmp_path, monkeypatch, group_photo, colours) -> Path:
    """A dataset of two photos with faces and red things; their sidecars know of both."""
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    shutil.copy(colours, "colours.onnx")
    with Image.open(group_photo) as photo:
        parts = {"a": (0, 0, 640, 443), "b": (640, 0, 1280, 443)}
        for name, box in (parts | {"other": (200, 0, 840, 443)}).items():
            picture = np.array(photo.crop(box))
            picture[300:400, 20:100] = (230, 40, 40)
            Image.fromarray(picture).save(f"images/{name}.png")
    Path("images/other.png").rename("other.png")
    for name in parts:
        sidecars.write(f"images/{name}.png", SIDECAR)
    return tmp_path


@pytest.mark.parametrize(
    "happens", [replace, swap, cut_short, delete, turn_into_a_folder]
)
@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_kept_of_what_changed(folder, survived, stage, happens):
    survived["faults injected"] += 1
    photo, other = Path("images/a.png"), Path("other.png").read_bytes()
    content = photo.read_bytes()
    manifest = list_images()
    happens(photo, other)
    with pytest.raises(SystemExit) as raised:
        stage(manifest)
    assert str(raised.value) == SENTENCE
    assert not any(Path(table).exists() for table in TABLES)
    made = " ".join(str(path) for path in Path("made").rglob("*"))
    assert "a_" not in made and "a.png" not in made

    restore(photo, content)
    stage(list_images())
    found = results()
    for path in (".dtst", "made"):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("a", "b"):
        sidecars.write(f"images/{name}.png", SIDECAR)
    stage(list_images())
    assert found == results()
    survived["faults survived"] += 1


def test_an_edit_that_neither_size_nor_time_shows(tmp_path, group_photo, survived):
    """Of a file with two names, whose ctime tells nothing, the job that reads it finds out.

    The run after takes it as it is.
    """
    survived["faults injected"] += 1
    dataset = Dataset(tmp_path / "crowd")
    photo = dataset.folder / "images/a.bmp"
    photo.parent.mkdir(parents=True)
    with Image.open(group_photo) as whole:
        whole.crop((0, 0, 640, 443)).save(photo)
        noted = photo.stat()
        (tmp_path / "a.bmp").hardlink_to(photo)
        dataset.run("--until", "inventory_extract_faces", settings=FACES)
        whole.crop((640, 0, 1280, 443)).save(photo)
    os.utime(photo, ns=(noted.st_atime_ns, noted.st_mtime_ns))
    assert photo.stat().st_size == noted.st_size
    printed = dataset.run(settings=FACES, ok=False)
    assert SENTENCE.replace(".png", ".bmp") in printed
    assert not (dataset.folder / "faces").exists()
    dataset.run(settings=FACES)
    anew = dataset.from_nothing(tmp_path / "anew")
    anew.run(settings=FACES)
    assert dataset.results() == anew.results()
    assert len(dataset.results()) > 2
    survived["faults survived"] += 1


@pytest.mark.parametrize("stage", STAGES[:-1])
def test_a_limit_holds_for_what_is_known_as_well(folder, stage):
    """As in a run from nothing: what is kept of an image does not let it pass."""

    def failures(max_pixels: int) -> list[tuple[str, str]]:
        stage(manifest, max_pixels=max_pixels)
        return [(row["path"], row["reason"]) for row in read_table(TABLES[1])]

    manifest = list_images()
    refused = failures(640 * 443 - 1)
    assert [path for path, _ in refused] == ["images/a.png", "images/b.png"]
    assert all("--max-pixels" in reason for _, reason in refused)
    assert failures(640 * 443) == []
    assert failures(640 * 443 - 1) == refused
