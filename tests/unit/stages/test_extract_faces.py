"""Stage extract_faces, by an engine that knows where the faces are."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dtst_flow.cache import code_version
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.faces import quality, sharpness
from dtst_flow.faces.base import Face
from dtst_flow.models.store import Weights
from dtst_flow.stages import crops, extract_faces
from dtst_flow.stages.extract_faces import Extractor, Options
from dtst_flow.stages.shards import Shard
from dtst_flow.utils.files import digest
from dtst_flow.utils.tables import write_table

FACES = [(80, 100, 0.9), (60, 300, 0.8), (20, 500, 0.7), (10, 620, 0.4)]
"""Pixels between the eyes of each, the x of its nose, and its score; the largest first."""

BLURRED = 1
"""The face that is out of focus."""

NAMES = [f"photo_{rank:02d}.jpg" for rank in range(len(FACES))]


def face(eyes: float, x: float, score: float) -> Face:
    shape = np.array([(-0.5, -0.5), (0.5, -0.5), (0, 0), (-0.35, 0.5), (0.35, 0.5)])
    points = shape * eyes + (x, 150)
    low, high = points.min(axis=0), points.max(axis=0)
    return Face((*low, *high), score, tuple(map(tuple, points)))


class Engine:
    """Finds FACES in every image, and counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def find(self, image: np.ndarray) -> list[Face]:
        self.asked += 1
        return [face(*known) for known in reversed(FACES)]


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Engine:
    """We are in a dataset with images/photo.jpg, one of whose faces is blurred."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    noise = np.random.default_rng(0).normal(size=(300, 700, 3))
    layers = [cv2.GaussianBlur(noise, (0, 0), s) * s for s in (1, 4, 16)]
    pixels = (128 + 40 * sum(layers)).clip(0, 255).astype(np.uint8)
    pixels[:, 200:420] = cv2.GaussianBlur(pixels[:, 200:420], (0, 0), 12)
    Image.fromarray(pixels).save("images/photo.jpg")
    engine = Engine()
    monkeypatch.setattr(Extractor, "engine", engine)
    return engine


def extract(**settings) -> list[str]:
    """Extract the faces of the photo; returns what a run says."""
    path = Path("images/photo.jpg")
    row = ManifestRow(str(path), digest(path.read_bytes()), "photo")
    extractor = Extractor("s", "faces", Options(**settings), [Weights(path, "0" * 64)])
    table = extractor(row)
    extractor.records.compact()
    write_table("table.jsonl", [table])
    shard = Shard("table.jsonl", "failed.jsonl")
    shard.sum_up(extract_faces.tally)
    crops.commit(crops.of_faces, {"s": shard}, [], "faces")
    return extract_faces.describe(shard.tally)


def there() -> list[str]:
    return sorted(path.name for path in Path("faces").glob("*.jpg"))


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("faces").iterdir()}


def metrics(name: str) -> dict:
    return sidecars.read(Path("faces", name))["metrics"]


def test_a_crop_bears_the_metrics_of_its_face(engine):
    sidecars.write("images/photo.jpg", {"license": "CC0", "metrics": {"niqe": 3.1}})
    assert extract() == ["4 crops; 0 images show no face"]
    for name, (eyes, _, score) in zip(NAMES, FACES, strict=True):
        measured = metrics(name)
        assert measured.pop("blur") == pytest.approx(
            sharpness.blur(Path("faces", name).read_bytes()), abs=0.005
        )
        assert (measured["face_size"], measured["score"]) == (eyes, score)
        assert measured["quality"] == round(quality.quality(measured), 3)
        assert "niqe" not in measured  # it is the photo's own
        assert sidecars.read(Path("faces", name))["license"] == "CC0"
    assert metrics(NAMES[BLURRED])["quality"] < metrics(NAMES[2])["quality"]


def test_a_crop_tells_how_its_photo_was_turned(engine, monkeypatch):
    extract()
    assert "turned" not in sidecars.read(Path("faces", NAMES[0]))["provenance"]
    Path("images/photo.jpg").write_bytes(Path("images/photo.jpg").read_bytes() + b"2")
    lying = dataclasses.replace(face(*FACES[0]), turned=180)
    monkeypatch.setattr(engine, "find", lambda image: [lying])
    for _ in range(2):  # looked at, then from the record
        extract()
        told = sidecars.read(Path("faces", NAMES[0]))["provenance"]
        assert (told["turned"], told["box"]) == (180, list(lying.box))


@pytest.mark.parametrize(
    ("settings", "kept", "said"),
    [
        ({"min_size": 20}, [0, 1, 2], ["1 faces were left out by --min-size"]),
        ({"min_score": 0.75}, [0, 1], ["2 faces were left out by --min-score"]),
        ({"min_quality": 0.2}, [0, 2], ["2 faces were left out by --min-quality"]),
        ({"max_faces": 3}, [0, 1, 2], ["1 faces were left out by --max-faces"]),
        (
            {"skip_partial": True},
            [1, 2, 3],
            ["1 faces were left out by --skip-partial"],
        ),
        (
            {"max_faces": 3, "min_score": 0.75, "min_quality": 0.2},
            [0],
            [
                "1 faces were left out by --max-faces",
                "1 faces were left out by --min-score",
                "1 faces were left out by --min-quality",
            ],
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_limit_leaves_faces_out_and_the_others_keep_their_numbers(
    engine, settings, kept, said
):
    first, *rest = extract(**settings)
    assert there() == [NAMES[rank] for rank in kept]
    assert first == f"{len(kept)} crops; 0 images show no face"
    assert rest == said


def test_limits_compute_nothing_and_bring_all_back(engine):
    extract()
    before = files()
    for settings in ({"min_size": 50}, {"min_score": 0.99}, {"min_quality": 0.5}, {}):
        extract(**settings)
    assert files() == before
    assert engine.asked == 1


def test_a_limit_from_the_start_leaves_the_record_whole(engine):
    extract(min_quality=1.0)
    assert there() == []
    extract()
    assert there() == NAMES
    assert engine.asked == 1


def test_records_follow_what_looks_at_pixels_not_crops_or_the_formula():
    seen: dict[str, str] = {}
    code_version._collect("faces.record", seen)
    assert {"faces.sharpness", "faces.alignment"} <= seen.keys()
    assert not {"faces.crop", "faces.quality", "imaging.encode"} & seen.keys()


def test_what_others_measured_of_a_crop_stays(engine):
    extract()
    path = Path("faces", NAMES[0])
    content = sidecars.read(path)
    content["metrics"] |= {"niqe": 4.2, "phash": "d4c6"}
    sidecars.write(path, content)
    extract(max_size=64)
    now = metrics(NAMES[0])
    assert (now.pop("niqe"), now.pop("phash")) == (4.2, "d4c6")
    assert now["blur"] == round(sharpness.blur(path.read_bytes()), 2)
    assert now.keys() == metrics(NAMES[1]).keys()
    extract(min_quality=1.0)
    assert not sidecars.path_of(path).exists()
    extract()
    assert (metrics(NAMES[0])["niqe"], metrics(NAMES[0])["phash"]) == (4.2, "d4c6")


def test_a_file_of_another_program_in_place_of_the_sidecar_costs_no_face(engine):
    sidecars.path_of("images/photo.jpg").write_text('[{"SourceFile": "photo.jpg"}]')
    assert extract() == [
        "4 crops; 0 images show no face",
        "1 sidecars could not be used; faces were cut without them",
    ]


def test_where_and_who_stay_behind_unless_asked_for(engine):
    told = {"license": "CC0", "geoData": {"latitude": 12.5}, "people": ["Ann"]}
    sidecars.write("images/photo.jpg", told)
    for keep, kept in ((None, {"license"}), ("*", {*told}), ("people", {"people"})):
        extract(keep_keys=keep)
        made = sidecars.read(Path("faces", NAMES[0]))
        assert made.keys() == kept | {"provenance", "metrics"}
