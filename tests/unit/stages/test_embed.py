"""Stage embed, by the model that pip brings."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.embed import embedders, recognisable
from dtst_flow.embed.embedders import MODELS
from dtst_flow.imaging import decode, encode
from dtst_flow.imaging.perceptual_hash import perceptual_hash
from dtst_flow.models import store
from dtst_flow.runtime import pool
from dtst_flow.stages import embed, embedding
from dtst_flow.stages.contract import ShardJob
from dtst_flow.stages.embedding import Options
from dtst_flow.stages.to_embed import Item, stored_item
from dtst_flow.utils.files import digest
from dtst_flow.utils.tables import read_table, write_table

OPTIONS = Options("efficientnet")
POINTS = [[300, 150], [325, 150], [312, 165], [302, 175], [322, 175]]
ORIENTATION = 0x112
QUARTER_TURN = 6
"""EXIF's orientation of an image that is to be turned to the right."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory, group_photo) -> Path:
    """A photo, the same one stored lying on its side, and a broken file."""
    folder = tmp_path_factory.mktemp("photos")
    with Image.open(group_photo) as large:
        photo = large.reduce(2)
    photo.save(folder / "upright.png")
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    lying = photo.transpose(Image.Transpose.ROTATE_90)
    lying.save(folder / "lying.png", exif=exif)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def dataset(tmp_path, monkeypatch, photos) -> Path:
    """A folder with a copy of the photos, to be changed."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(photos, tmp_path, dirs_exist_ok=True))


def run(
    names: list[str], fresh: bool = False, options: Options = OPTIONS
) -> tuple[list[dict], np.ndarray]:
    """Embed images; returns the table and the array."""
    rows = [
        {
            "path": name,
            "stem": Path(name).stem,
            "digest": digest(Path(name).read_bytes()),
            "sidecar": None,
        }
        for name in names
    ]
    write_table("0.jsonl", rows)
    weights = store.resolve(MODELS[options.model].weights)
    job = ShardJob("0.jsonl", "table.jsonl", "failed.jsonl", "array.npy")
    embed.embed(job, options, weights, fresh=fresh)
    return list(read_table("table.jsonl")), np.load("array.npy")


def test_the_table_has_the_hash_of_the_upright_image(dataset):
    table, array = run(["broken.png", "lying.png", "upright.png"])
    assert [row["path"] for row in table] == ["lying.png", "upright.png"]
    assert len(array) == 2
    expected = f"{perceptual_hash(decode.read('upright.png')):016x}"
    assert [row["hash"] for row in table] == [expected, expected]
    [failure] = read_table("failed.jsonl")
    assert failure["path"] == "broken.png"


def test_what_comes_from_records_is_the_same(dataset, monkeypatch):
    computed = run(["lying.png", "upright.png"])
    monkeypatch.setattr(pool, "Process", None)  # nothing may be looked at again
    known = run(["lying.png", "upright.png"])
    assert known[0] == computed[0]
    assert known[1].tobytes() == computed[1].tobytes()


def test_another_way_to_hash_finds_no_old_record(dataset, monkeypatch):
    run(["upright.png"])
    row = next(read_table("0.jsonl"))
    weights = store.resolve("efficientnet_lite0").digest

    def found() -> bool:
        return (
            embedding.records(OPTIONS, weights).get(
                Item(ManifestRow.of_row(row)).identity
            )
            is not None
        )

    assert found()
    monkeypatch.setattr(embedding, "perceptual_hash", encode)  # other code in its place
    assert not found()


@pytest.mark.parametrize(
    ("points", "size", "aligned"),
    [
        (POINTS, [640, 443], "stored"),
        (POINTS, [320, 222], "detected"),
        (POINTS, None, "detected"),
        (POINTS[:4], [640, 443], "detected"),
        ([*POINTS[:4], [1]], [640, 443], "detected"),
        ([*POINTS[:4], [1, None]], [640, 443], "detected"),
        ("points", [640, 443], "detected"),
    ],
)
def test_stored_points_count_in_an_image_of_their_size(dataset, points, size, aligned):
    provenance = {"points": points, "size": size}
    sidecars.write("upright.png", {"provenance": provenance})
    [row], _ = run(["upright.png"], options=Options("dlib"))
    assert row["aligned"] == aligned
    sidecars.write("upright.png", {"provenance": provenance | {"size": [1, 1]}})
    [row], _ = run(["upright.png"], options=Options("dlib"))
    assert row["aligned"] == "detected"


@pytest.mark.parametrize(
    ("model", "digest", "photo"),
    [("dlib", "abc", "abc"), ("dlib", None, None), ("efficientnet", "abc", None)],
)
def test_the_table_has_the_photo_of_a_face(dataset, model, digest, photo):
    sidecar = {"provenance": {"digest": digest}, "metrics": {"quality": 0.5}}
    sidecars.write("upright.png", sidecar)
    [row], _ = run(["upright.png"], options=Options(model))
    assert row["photo"] == photo
    assert row["quality"] == (0.5 if model == "dlib" else None)


@pytest.mark.parametrize("quality", [0.25, 1, None, True, "high", -1, 2, float("nan")])
def test_quality_is_a_number_from_0_to_1_or_not_known(dataset, quality):
    sidecars.write("a.png", {"provenance": {}, "metrics": {"quality": quality}})
    known = stored_item(ManifestRow("a.png", "0", "a"), wants_points=True).quality
    assert known == (quality if quality in (0.25, 1) and quality is not True else None)


def test_batches_leave_no_trace(dataset):
    """Nor does a broken image among them, nor who computed what before."""
    names = ["broken.png", "lying.png", "upright.png"]
    _, array = run(names)
    for size in (1, 2):
        options = Options("efficientnet", batch_size=size)
        _, again = run(names, fresh=True, options=options)
        assert again.tobytes() == array.tobytes()
        [failure] = read_table("failed.jsonl")
        assert failure["path"] == "broken.png"


def test_frames_of_one_video_are_of_no_photo(tmp_path, monkeypatch):
    """Else people in two of its frames would be taken for different ones."""
    monkeypatch.chdir(tmp_path)
    for source, photo in (("image", "0" * 32), ("video", None)):
        said = {source: "x", "digest": "0" * 32, "time": 1.0}
        sidecars.write("a.png", {"provenance": said})
        item = stored_item(ManifestRow("a.png", "0", "a"), wants_points=True)
        assert item.photo == photo


def test_a_floor_is_computed_once_for_all_datasets(tmp_path, monkeypatch, cache):
    computed = []

    def floor_of(model):
        computed.append(model)
        return 15.4

    monkeypatch.setattr(
        embedders, "open_embedder", lambda *_: SimpleNamespace(close=lambda: None)
    )
    monkeypatch.setattr(recognisable, "floor_of", floor_of)
    weights = store.Weights(Path("model.onnx"), "a digest")

    def floor(dataset: str, fresh: bool = False) -> float | None:
        (tmp_path / dataset).mkdir()
        monkeypatch.chdir(tmp_path / dataset)
        return embed._floor("0", Options("arcface"), weights, fresh)

    assert (floor("one"), floor("two"), len(computed)) == (15.4, 15.4, 1)
    assert (floor("three", fresh=True), len(computed)) == (15.4, 2)
    for memo in cache.glob("dtst-flow/floors/*"):
        memo.write_text("[]")
    assert (floor("four"), len(computed)) == (15.4, 3)


def test_jobs_that_start_at_once_compute_a_floor_once(tmp_path, monkeypatch, cache):
    computed = []

    def compute(*_):
        computed.append(1)
        time.sleep(0.2)
        return {"floor": 15.4}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embed, "_computed_floor", compute)
    weights = store.Weights(Path("model.onnx"), "another digest")
    with ThreadPoolExecutor(3) as jobs:
        floors = [
            jobs.submit(embed._floor, shard, Options("arcface"), weights, False)
            for shard in ("0", "1", "2")
        ]
    assert [floor.result() for floor in floors] == [15.4] * 3
    assert len(computed) == 1
