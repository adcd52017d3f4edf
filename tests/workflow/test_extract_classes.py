"""extract-classes as a user lives with it, on photos with handwritten sidecars."""

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.imaging import decode, encode
from dtst_flow.utils.tables import read_table
from helpers.dataset import Dataset

NOTHING = "Nothing to be done"

BOXES = {
    "dahlia.jpg": {
        "flower": [
            {"score": 0.92, "box": [300, 60, 560, 280]},
            {"score": 0.4, "box": [10, 200, 90, 260]},
        ],
        "leaf": [{"box": [100.5, 300.25, 180, 420], "by": "hand"}],
    },
    "china.jpg": {"Roof": [{"score": 0.8, "box": [200, 100, 500, 220]}]},
}
"""Boxes in two photos of 640 x 427 pixels."""

SIDECAR = {"source": "flickr", "license": "CC0", "metrics": {"blur": 3}}


def settings(**values) -> dict:
    chosen = {"from": "images", "to": "flowers"} | values
    return {"path": "extract-classes", "extract_classes": chosen}


def write(where: Path) -> Dataset:
    """Write three photos, two of them with boxes."""
    dataset = Dataset(where / "dahlias")
    folder = dataset.folder / "images"
    folder.mkdir(parents=True)
    for name, photo in (("dahlia", "flower"), ("china", "china"), ("bare", "china")):
        source = files("sklearn.datasets") / "images" / f"{photo}.jpg"
        shutil.copy(str(source), folder / f"{name}.jpg")
    for name, classes in BOXES.items():
        sidecars.write(folder / name, SIDECAR | {"classes": classes})
    return dataset


@pytest.fixture
def dahlias(tmp_path) -> Dataset:
    """The photos, nothing run on them yet."""
    return write(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Dataset:
    """The photos after a run with the usual settings; nobody may change it."""
    dataset = write(tmp_path_factory.mktemp("finished"))
    dataset.run(settings=settings())
    return dataset


@pytest.fixture
def cut(finished, tmp_path) -> Dataset:
    """A copy of the photos after that run, to change at will."""
    return finished.copy(tmp_path)


def crops_of(dataset: Dataset, bucket: str = "flowers") -> list[str]:
    return sorted(path.name for path in (dataset.folder / bucket).glob("*.jpg"))


def edit(dataset: Dataset, name: str, classes: dict) -> None:
    photo = dataset.folder / "images" / name
    sidecars.write(photo, sidecars.read(photo) | {"classes": classes})


def failures(dataset: Dataset) -> list[dict]:
    return list(read_table(dataset.folder / ".dtst/buckets/flowers/failed.jsonl"))


def assert_as_from_nothing(dataset: Dataset, tmp_path: Path, **values) -> None:
    anew = dataset.from_nothing(tmp_path / "anew")
    anew.run(settings=settings(**values))
    assert dataset.results() == anew.results()


def test_every_box_becomes_a_crop_with_its_sidecar(dahlias):
    printed = dahlias.run(settings=settings())
    assert "3 images: 4 crops; 1 images have no box to cut" in printed
    assert crops_of(dahlias) == [
        "china_Roof.jpg",
        "dahlia_flower_00.jpg",
        "dahlia_flower_01.jpg",
        "dahlia_leaf.jpg",
    ]
    crop = dahlias.folder / "flowers/dahlia_flower_00.jpg"
    photo = decode.read(dahlias.folder / "images/dahlia.jpg")
    assert crop.read_bytes() == encode.encode(photo[60:280, 300:560])
    content = sidecars.read(crop)
    digest, file = (content["provenance"].pop(key) for key in ("digest", "file"))
    assert len(digest) == len(file) == 32
    assert content["provenance"].pop("keys").keys() == {"source", "license", "classes"}
    assert content == {
        "source": "flickr",
        "license": "CC0",
        "provenance": {
            "image": "images/dahlia.jpg",
            "class": "flower",
            "box": [300, 60, 560, 280],
            "score": 0.92,
            "crop": [300, 60, 560, 280],
        },
        "classes": {"flower": [{"score": 0.92, "box": [0, 0, 260, 220]}]},
    }


def test_boxes_of_the_photo_are_shifted_into_the_crop(dahlias):
    edit(
        dahlias,
        "china.jpg",
        {
            "roof": [{"box": [200, 100, 500, 220]}],
            "door": [{"box": [180, 150.5, 300, 400], "by": "hand", "at": [1, 2]}],
            "sky": [{"box": [0, 0, 640, 100]}],
            "odd": [{"box": [5, 5, 5, 9]}],
        },
    )
    dahlias.run(settings=settings(classes="roof"))
    assert crops_of(dahlias) == ["china_roof.jpg"]
    assert sidecars.read(dahlias.folder / "flowers/china_roof.jpg")["classes"] == {
        "roof": [{"box": [0, 0, 300, 120]}],
        "door": [{"box": [0, 50.5, 100, 120], "by": "hand"}],
    }


def test_second_run_has_nothing_to_do(cut):
    before = cut.results()
    assert NOTHING in cut.run(settings=settings())
    for photo in (cut.folder / "images").iterdir():
        photo.touch()
    cut.run(settings=settings())
    assert cut.jobs() == {}
    assert cut.results() == before


def test_changed_box_makes_its_crop_anew(cut, tmp_path):
    before = cut.results()
    edit(cut, "china.jpg", {"Roof": [{"score": 0.8, "box": [200, 100, 480, 220]}]})
    cut.run(settings=settings())
    assert cut.computed() == {"extract_classes": 1}
    after = cut.results()
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {
        "images/china.jpg.json",
        "flowers/china_Roof.jpg",
        "flowers/china_Roof.jpg.json",
    }
    assert_as_from_nothing(cut, tmp_path)


def test_vanished_box_and_photo_take_their_crops_along(cut, tmp_path):
    edit(cut, "dahlia.jpg", {"flower": BOXES["dahlia.jpg"]["flower"][:1]})
    (cut.folder / "images/china.jpg").unlink()
    cut.run(settings=settings())
    assert crops_of(cut) == ["dahlia_flower.jpg"]
    assert_as_from_nothing(cut, tmp_path)


def test_added_key_of_the_user_survives_and_travels(cut):
    crop = cut.folder / "flowers/china_Roof.jpg"
    sidecars.write(crop, sidecars.read(crop) | {"rating": 5})
    source = cut.folder / "images/china.jpg"
    sidecars.write(source, sidecars.read(source) | {"author": "Ann"})
    cut.run(settings=settings())
    content = sidecars.read(crop)
    assert content["rating"] == 5 and content["author"] == "Ann"
    boxes = sidecars.path_of(source).read_bytes()
    sidecars.path_of(source).unlink()
    assert "wait in flowers/.waiting" in cut.run(settings=settings())
    assert not crop.exists() and not sidecars.path_of(crop).exists()
    sidecars.path_of(source).write_bytes(boxes)
    cut.run(settings=settings())
    assert sidecars.read(crop)["rating"] == 5


def test_damaged_crops_are_restored(cut):
    before = cut.results()
    (cut.folder / "flowers/china_Roof.jpg").unlink()
    sidecars.path_of(cut.folder / "flowers/dahlia_leaf.jpg").unlink()
    (cut.folder / "flowers/dahlia_flower_00.jpg").write_bytes(b"scribble")
    cut.run(settings=settings())
    assert cut.results() == before
    assert NOTHING in cut.run(settings=settings())


def test_tutorial(dahlias):
    words = ("extract-classes", "-d", str(dahlias.folder), "--from", "images")
    words += ("--to", "flowers", "--classes", "flower")
    both = ["dahlia_flower_00.jpg", "dahlia_flower_01.jpg"]
    printed = dahlias.dtst(*words, "--dry-run")
    assert "3 images, at most 2 crops to write, 0 there already" in printed
    assert not (dahlias.folder / "flowers").exists()
    dahlias.dtst(*words)
    assert crops_of(dahlias) == both
    dahlias.dtst(*words, "--min-score", "0.5")
    assert crops_of(dahlias) == both[:1]  # a crop keeps its number
    dahlias.dtst(*words, "--square", "--margin", "0.1")
    assert crops_of(dahlias) == both
    sizes = [Image.open(dahlias.folder / "flowers" / name).size for name in both]
    assert sizes == [(312, 312), (96, 96)]
    provenance = sidecars.read(dahlias.folder / "flowers" / both[0])["provenance"]
    assert provenance["crop"] == [274, 14, 586, 326]
    before = dahlias.results()
    printed = dahlias.dtst(*words, "--square", "--dry-run")
    assert "3 images, 2 crops to write, 0 there already" in printed
    printed = dahlias.dtst(*words, "--square", "--margin", "0.1", "--dry-run")
    assert "3 images, 0 crops to write, 2 there already" in printed
    assert dahlias.results() == before
    dahlias.dtst(*words, "--square", "--margin", "0.1", "--skip-partial")
    assert crops_of(dahlias) == both
    printed = dahlias.dtst(*words, "--square", "--margin", "0.15", "--skip-partial")
    assert crops_of(dahlias) == both[:1]
    assert "1 boxes were left out" in printed


def test_yaml_file_with_a_list_of_classes(dahlias):
    config = dahlias.folder.parent / "dahlias.yaml"
    config.write_text(
        f"working_dir: {dahlias.folder}\n"
        "extract_classes: {from: images, to: flowers, classes: [flower, leaf]}\n"
    )
    dahlias.dtst("extract-classes", str(config))
    assert len(crops_of(dahlias)) == 3
    dahlias.dtst("extract-classes", str(config), "-c", "leaf, ROOF")
    assert crops_of(dahlias) == ["china_Roof.jpg", "dahlia_leaf.jpg"]


def test_class_that_no_sidecar_has_is_said(dahlias):
    printed = dahlias.run(settings=settings(classes="flower,stem"))
    assert "no image has the class 'stem'; there are: Roof, flower, leaf" in printed
    assert "class 'flower'" not in printed
    before = crops_of(dahlias)
    printed = dahlias.run(settings=settings(classes="stem"), ok=False)
    assert "no image has the class 'stem'; there are: Roof, flower, leaf" in printed
    assert crops_of(dahlias) == before
    for name in BOXES:
        edit(dahlias, name, {})
    printed = dahlias.run(settings=settings(classes="flower,stem"), ok=False)
    assert "the class 'flower' or 'stem'; no image has a sidecar with class" in printed
    assert crops_of(dahlias) == before


def test_bad_entries_cost_only_themselves(dahlias):
    whole = [0, 0, 100, 100]
    lists = [[5, 5, 5, 9], [9, 9, 5, 5], [1, 2, "3", 4], [1, 2, float("inf"), 4]]
    lists += [[1, 2, 3], None, [-90, -90, -5, -5], [700, 0, 800, 90], [0, 0, 1e99, 9]]
    flower = [{"box": box} for box in lists]
    flower += [7, {"box": whole, "score": "high"}, {"box": whole}]
    edit(dahlias, "dahlia.jpg", {"flower": flower, "leaf": {"box": whole}})
    sidecars.path_of(dahlias.folder / "images/bare.jpg").write_text("{broken")
    printed = dahlias.run(settings=settings(classes="flower,leaf"))
    assert crops_of(dahlias) == ["dahlia_flower_11.jpg"]
    assert "12 boxes could not be used" in printed
    assert "1 images could not be processed" in printed
    reasons = [row["reason"] for row in failures(dahlias)]
    assert len(reasons) == 13
    told = "\n".join(reasons)
    for fault in ("no area", "inverted", "no finite number", "four numbers"):
        assert fault in told
    assert "entry 6: its box [-90, -90, -5, -5] lies outside the image" in told
    assert "class 'leaf' holds no list of boxes" in told


def test_broken_images_and_sidecars_cost_only_themselves(dahlias):
    (dahlias.folder / "images/bare.jpg").write_bytes(b"no image")
    sidecars.write(dahlias.folder / "images/bare.jpg", {"classes": BOXES["china.jpg"]})
    sidecars.write(dahlias.folder / "images/china.jpg", {"classes": [1, 2]})
    dahlias.run(settings=settings())
    assert len(crops_of(dahlias)) == 3
    reasons = {Path(row["path"]).name: row["reason"] for row in failures(dahlias)}
    assert "cannot be decoded" in reasons["bare.jpg"]
    assert "'classes' is no object" in reasons["china.jpg"]
    dahlias.run(settings=settings() | {"strict": True}, ok=False)


def test_spelling_that_could_mean_two_classes_is_reported(dahlias):
    box = [{"box": [0, 0, 50, 50]}]
    edit(dahlias, "china.jpg", {"Roof": box, "roof": box})
    dahlias.run(settings=settings(classes="ROOF"))
    assert crops_of(dahlias) == []
    assert "'Roof' or 'roof'" in failures(dahlias)[0]["reason"]
    dahlias.run(settings=settings(classes="roof"))
    assert crops_of(dahlias) == ["china_roof.jpg"]
    dahlias.run(settings=settings(classes="roof,Roof"))
    assert crops_of(dahlias) == ["china_%52oof.jpg", "china_roof.jpg"]


def test_equal_names_and_classes_that_are_no_file_names(dahlias, tmp_path):
    folder = dahlias.folder / "images"
    box = [{"box": [0, 0, 50, 50]}]
    for part in "ab":
        (folder / part).mkdir()
        shutil.copy(folder / "china.jpg", folder / part / "same.jpg")
        classes = {"../up": box, "traffic light": box, "": box, "01": box}
        sidecars.write(folder / part / "same.jpg", {"classes": classes})
    dahlias.run(settings=settings(**{"from": "images/*"}))
    assert crops_of(dahlias)[:4] == [
        "a_same_%2E%2E%2Fup.jpg",
        "a_same_%301.jpg",
        "a_same_.jpg",
        "a_same_traffic%20light.jpg",
    ]
    assert len(crops_of(dahlias)) == 12
    for part in "ab":
        crop = dahlias.folder / f"flowers/{part}_same_%301.jpg"
        origin = sidecars.read(crop)["provenance"]
        assert (origin["image"], origin["class"]) == (f"images/{part}/same.jpg", "01")
    assert_as_from_nothing(dahlias, tmp_path, **{"from": "images/*"})


def test_class_too_long_for_a_file_name_is_reported(dahlias):
    edit(dahlias, "china.jpg", {"ä" * 60: [{"box": [0, 0, 50, 50]}]})
    dahlias.run(settings=settings())
    assert len(crops_of(dahlias)) == 3
    assert "file name would be too long" in failures(dahlias)[0]["reason"]


def test_boxes_are_in_pixels_of_the_upright_image(dahlias):
    photo = Image.open(dahlias.folder / "images/china.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    turned = dahlias.folder / "images/turned.jpg"
    photo.save(turned, exif=exif)
    sidecars.write(turned, {"classes": {"roof": [{"box": [0, 500, 427, 640]}]}})
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    clear.save(dahlias.folder / "images/clear.png")
    sidecars.write(
        dahlias.folder / "images/clear.png",
        {"classes": {"roof": [{"box": [0, 0, 50, 50]}]}},
    )
    dahlias.run(settings=settings(classes="roof", skip_partial=True))
    assert crops_of(dahlias) == ["china_Roof.jpg", "clear_roof.jpg", "turned_roof.jpg"]
    cut = decode.read(dahlias.folder / "flowers/turned_roof.jpg")
    upright = decode.read(turned)[500:640]
    assert cut.shape == upright.shape == (140, 427, 3)
    assert np.abs(cut.astype(int) - upright).mean() < 3
    clear = dahlias.folder / "flowers/clear_roof.jpg"
    assert (decode.read(clear) == 255).all()
    dahlias.run(settings=settings(classes="roof", background="#000000"))
    assert (decode.read(clear) == 0).all()


def test_shards_and_workers_leave_no_trace(cut, tmp_path):
    anew = cut.from_nothing(tmp_path / "anew")
    anew.run(settings=settings(workers=2) | {"shard_size": 1})
    assert anew.results() == cut.results()


def test_foreign_file_in_the_way_is_left_alone(dahlias):
    foreign = dahlias.folder / "flowers/china_Roof.jpg"
    foreign.parent.mkdir()
    foreign.write_bytes(b"the user's own")
    dahlias.run(settings=settings())
    assert foreign.read_bytes() == b"the user's own"
    assert "not written by dtst" in failures(dahlias)[0]["reason"]
