"""Stage embed, by the model that pip brings."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow import code, images, models
from dtst_flow.files import digest, read_table, write_table
from dtst_flow.perceptual import perceptual_hash
from dtst_flow.stages import embed
from dtst_flow.stages.embed import Options

OPTIONS = Options("efficientnet")
ORIENTATION = 0x112
QUARTER_TURN = 6
"""EXIF's orientation of an image that is to be turned to the right."""


@pytest.fixture
def dataset(tmp_path, monkeypatch, group_photo) -> Path:
    """A folder with a photo, the same one stored lying on its side, and a broken file."""
    monkeypatch.chdir(tmp_path)
    with Image.open(group_photo) as photo:
        photo.save("upright.png")
        lying = photo.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[ORIENTATION] = QUARTER_TURN
        lying.save("lying.png", exif=exif)
    Path("broken.png").write_bytes(b"no image")
    return tmp_path


def run(names: list[str], fresh: bool = False) -> tuple[list[dict], np.ndarray]:
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
    outputs = ("table.jsonl", "array.npy", "failed.jsonl")
    weights = models.resolve("efficientnet_lite0")
    embed.run("0.jsonl", *outputs, OPTIONS, weights, fresh=fresh)
    return list(read_table("table.jsonl")), np.load("array.npy")


def test_the_table_has_the_hash_of_the_upright_image(dataset):
    table, array = run(["broken.png", "lying.png", "upright.png"])
    assert [row["path"] for row in table] == ["lying.png", "upright.png"]
    assert len(array) == 2
    expected = f"{perceptual_hash(images.read('upright.png')):016x}"
    assert [row["hash"] for row in table] == [expected, expected]
    [failure] = read_table("failed.jsonl")
    assert failure["path"] == "broken.png"


def test_what_comes_from_records_is_the_same(dataset, monkeypatch):
    computed = run(["lying.png", "upright.png"])
    monkeypatch.setattr(embed, "look", None)  # nothing may be looked at again
    known = run(["lying.png", "upright.png"])
    assert known[0] == computed[0]
    assert known[1].tobytes() == computed[1].tobytes()


def test_another_way_to_hash_finds_no_old_record(dataset, monkeypatch):
    run(["upright.png"])
    row = next(read_table("0.jsonl"))
    weights = models.resolve("efficientnet_lite0").digest

    def found() -> bool:
        return (
            embed.records(OPTIONS, weights).get(embed.identity(row, None)) is not None
        )

    assert found()
    version = code.version
    monkeypatch.setattr(
        code, "version", lambda name: "" if name == "perceptual" else version(name)
    )
    assert not found()
