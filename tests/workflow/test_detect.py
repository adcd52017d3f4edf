"""detect and path classes as a user lives with them, on photos of coloured things."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.imaging import decode
from dtst_flow.utils.tables import read_table
from helpers import colour_detector, things_of_colour
from helpers.dataset import Dataset
from helpers.things_of_colour import SIDECAR, THINGS

NOTHING = "Nothing to be done"


@pytest.fixture(scope="module")
def settings(colours):
    def chosen(path: str = "detect", **values) -> dict:
        found = {"from": "images", "classes": "Red,blue_thing", "weights": str(colours)}
        return {"path": path, "detect": found | values}

    return chosen


@pytest.fixture
def things(tmp_path) -> Dataset:
    """The photos, nothing run on them yet."""
    return things_of_colour.write(tmp_path)


@pytest.fixture(scope="module")
def detected(settings, tmp_path_factory) -> Dataset:
    """The photos after detect with the usual settings; nobody may change it."""
    dataset = things_of_colour.write(tmp_path_factory.mktemp("detected"))
    dataset.run(settings=settings())
    return dataset


@pytest.fixture
def seen(detected, tmp_path) -> Dataset:
    """A copy of the photos after detect, to change at will."""
    return detected.copy(tmp_path)


def sidecar(dataset: Dataset, name: str) -> dict:
    return sidecars.read(dataset.folder / "images" / name)


def classes(dataset: Dataset) -> dict[str, dict]:
    """Photo -> its classes with the number of boxes of each."""
    return {
        name: {c: len(boxes) for c, boxes in sidecar(dataset, name)["classes"].items()}
        for name in THINGS
    }


def assert_as_from_nothing(dataset: Dataset, tmp_path: Path, settings: dict) -> None:
    anew = dataset.from_nothing(tmp_path / "anew")
    for path in (anew.folder / "images").rglob("*.json"):
        content = sidecars.read(path.with_suffix(""))
        content.pop("classes")
        sidecars.write(path.with_suffix(""), content)
    anew.run(settings=settings)
    assert dataset.results() == anew.results()


def test_sidecars_tell_what_is_where(things, settings):
    printed = things.run(settings=settings())
    assert "4 images: Red in 2 (3 boxes), blue_thing in 1 (1 boxes)" in printed
    assert sidecar(things, "both.png") == {
        **SIDECAR,
        "classes": {
            "Red": [
                {"score": 0.9, "box": [20.0, 40.0, 60.0, 80.0]},
                {"score": 0.6, "box": [160.0, 8.0, 240.0, 120.0]},
            ],
            "blue_thing": [],
        },
    }
    assert sidecar(things, "bare.png") == {"classes": {"Red": [], "blue_thing": []}}


def test_a_second_run_loads_no_model(things, settings, tmp_path):
    model = tmp_path / "mine.onnx"
    shutil.copy(settings()["detect"]["weights"], model)
    chosen = settings(weights=str(model))
    things.run(settings=chosen)
    before = things.results()
    assert NOTHING in things.run(settings=chosen)
    # Even where jobs run, there is nothing to load a model for.
    shutil.rmtree(things.folder / ".dtst/buckets")
    things.run(settings=chosen)
    assert things.computed() == {"detect": 0}
    log = (things.folder / ".dtst/logs/detect/s.log").read_text()
    assert "4 images, 0 computed, 0 failed" in log
    assert things.results() == before


def test_threshold_and_number_compute_nothing_anew(seen, settings, tmp_path):
    strict = settings(threshold=0.7)
    seen.run(settings=strict)
    assert seen.computed() == {"detect": 0}
    assert classes(seen)["both.png"] == {"Red": 1, "blue_thing": 0}
    assert_as_from_nothing(seen, tmp_path, strict)
    seen.run(settings=settings(max_instances=1))
    assert [e["score"] for e in sidecar(seen, "both.png")["classes"]["Red"]] == [0.9]
    seen.run(settings=settings())
    assert classes(seen)["both.png"] == {"Red": 2, "blue_thing": 0}
    assert seen.computed() == {"detect": 0}


def test_another_class_is_added_and_the_first_kept(things, settings):
    things.run(settings=settings(classes="red"))
    things.run(settings=settings(classes=["green"]))
    assert things.computed() == {"detect": 0}
    assert classes(things)["mixed.png"] == {"green": 1, "red": 0}
    assert classes(things)["left.png"] == {"green": 0, "red": 1}


def test_only_what_changed_is_looked_at(seen, settings, tmp_path):
    folder = seen.folder / "images"
    for photo in folder.iterdir():
        photo.touch()
    seen.run(settings=settings())
    assert seen.computed().get("detect", 0) == 0
    shutil.copy(folder / "left.png", folder / "copy.png")
    Image.fromarray(colour_detector.photo(256, 128, {(9, 9, 70, 70): "red"})).save(
        folder / "mixed.png"
    )
    seen.run(settings=settings())
    assert seen.computed() == {"detect": 1}
    assert classes(seen)["mixed.png"] == {"Red": 1, "blue_thing": 0}
    assert_as_from_nothing(seen, tmp_path, settings())


def test_what_was_found_goes_with_its_photo(seen, settings):
    folder = seen.folder / "images"
    (folder / "left.png").unlink()
    (folder / "both.png").unlink()
    (folder / "mixed.png").write_bytes(b"no photo any more")
    seen.run(settings=settings())
    assert not (folder / "left.png.json").exists()
    assert not (folder / "mixed.png.json").exists()
    assert sidecar(seen, "both.png") == SIDECAR


def test_what_was_found_goes_with_its_photo_later_and_otherwise(things, settings):
    folder = things.folder / "images"
    (folder / "more").mkdir()
    shutil.copy(folder / "left.png", folder / "more/far.png")
    things.run(settings=settings(**{"from": "images/*"}))
    (folder / "left.png").unlink()
    (folder / "left.png").mkdir()
    things.run(settings=settings())
    assert not (folder / "left.png.json").exists()
    assert (folder / "more/far.png.json").exists()  # it lies outside of the source now
    (folder / "more/far.png").unlink()
    (folder / "mixed.png").unlink()
    things.run(settings=settings())
    assert not (folder / "more/far.png.json").exists()


def test_a_photo_renamed_with_its_sidecar_keeps_nothing_old(seen, settings, tmp_path):
    for name in ("both.png", "both.png.json"):
        path = seen.folder / "images" / name
        path.rename(path.with_name(f"new_{name}"))
    seen.run(
        settings=settings()
    )  # with settings under which the boxes stay as they are
    seen.run(settings=settings(threshold=0.7))
    assert seen.computed() == {"detect": 0}
    assert_as_from_nothing(seen, tmp_path, settings(threshold=0.7))


def test_what_moved_with_its_photo_where_a_run_does_not_look(seen, settings, tmp_path):
    (seen.folder / "images/new").mkdir()
    for name in ("both.png", "both.png.json"):
        path = seen.folder / "images" / name
        path.rename(path.parent / "new" / name)
    seen.run(settings=settings())
    later = settings(threshold=0.7, **{"from": "images/*"})
    seen.run(settings=later)
    assert_as_from_nothing(seen, tmp_path, later)


def test_a_photo_renamed_before_a_run_came_to_its_end(things, settings, tmp_path):
    """Alone, and with what the run wrote beside it."""
    table = ".dtst/buckets/.detect/detections/s.jsonl"
    things.run("--", table, settings=settings())
    assert classes(things)["left.png"] == {"Red": 1, "blue_thing": 0}
    for name in ("left.png", "both.png", "both.png.json"):
        path = things.folder / "images" / name
        path.rename(path.with_name(f"new_{name}"))
    things.run(settings=settings(threshold=0.7))
    assert not (things.folder / "images/left.png.json").exists()
    assert_as_from_nothing(things, tmp_path, settings(threshold=0.7))


def test_edited_and_deleted_sidecars(seen, settings):
    (seen.folder / "images/left.png.json").unlink()
    edited = sidecar(seen, "both.png")
    edited["classes"]["Red"][0]["box"] = [21, 41, 61, 81]
    sidecars.write(seen.folder / "images/both.png", edited | {"rating": 5})
    printed = seen.run(settings=settings())
    assert seen.computed() == {"detect": 0}
    assert classes(seen)["left.png"] == {"Red": 1, "blue_thing": 0}
    assert sidecar(seen, "both.png") == edited | {"rating": 5}
    assert "1 sidecars have a 'Red' that detect did not write" in printed
    assert NOTHING in seen.run(settings=settings())


def test_clearing_removes_what_detect_wrote_and_nothing_else(things, settings):
    mine = {"classes": {"cat": [{"box": [1, 2, 3, 4]}]}, "tags": ["x"]}
    sidecars.write(things.folder / "images/bare.png", mine)
    before = things.results()
    things.run(settings=settings())
    printed = things.run(settings=settings(clear=True, classes="Red", weights="/no.pt"))
    assert "cleared Red from 4 sidecars" in printed
    assert classes(things)["left.png"] == {"blue_thing": 0}
    printed = things.run(settings=settings(clear=True, classes=None))
    assert "cleared blue_thing from 4 sidecars" in printed
    after = things.results()
    assert after.keys() == before.keys()
    for name in ("both.png", "bare.png"):
        assert sidecar(things, name) in (SIDECAR, mine)
    things.run(settings=settings())
    assert classes(things)["bare.png"] == {"Red": 0, "blue_thing": 0, "cat": 1}


def test_broken_photos_and_sidecars_cost_only_themselves(things, settings):
    (things.folder / "images/left.png").write_bytes(b"no photo")
    (things.folder / "images/bare.png.json").write_text("{broken")
    printed = things.run(settings=settings())
    assert "2 images: Red in 1 (2 boxes)" in printed
    failed = read_table(things.folder / ".dtst/buckets/.detect/failed.jsonl")
    reasons = {Path(row["path"]).name: row["reason"] for row in failed}
    assert "cannot be decoded" in reasons["left.png"]
    assert "bare.png.json" in reasons["bare.png"]
    assert (things.folder / "images/bare.png.json").read_text() == "{broken"
    (things.folder / "images/bare.png.json").unlink()
    things.run(settings=settings())
    assert sidecar(things, "bare.png") == {"classes": {"Red": [], "blue_thing": []}}
    things.run(settings=settings() | {"strict": True}, ok=False)


def test_boxes_are_in_pixels_of_the_upright_photo(things, settings):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    photo = colour_detector.photo(256, 128, {(20, 80, 60, 120): "red"})
    path = things.folder / "images/turned.png"
    Image.fromarray(photo).save(path, exif=exif)
    things.run(settings=settings(classes="red"))
    (found,) = sidecar(things, "turned.png")["classes"]["red"]
    x0, y0, x1, y1 = map(round, found["box"])
    upright = decode.read(path)
    assert upright.shape == (256, 128, 3)
    assert (upright[y0:y1, x0:x1, 0] == 230).mean() > 0.9


def test_shards_and_workers_leave_no_trace(things, detected, settings):
    things.run(settings=settings(workers=2) | {"shard_size": 1})
    assert things.results() == detected.results()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"classes": None}, "detect needs classes"),
        ({"classes": "yellow, greens"}, "'greens', near is 'green'"),
        ({"weights": "/nowhere/x.onnx"}, "/nowhere/x.onnx"),
        ({"weights": None, "model": "yolo26n"}, "dtst models fetch yolo26n"),
        ({"max_instances": 301}, "301 is greater than the maximum"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(things, settings, values, sentence):
    before = things.results()
    assert sentence in things.run(settings=settings(**values), ok=False)
    assert things.results() == before


def test_dry_run_counts_and_writes_nothing(things, settings, colours):
    words = ("detect", "-d", str(things.folder), "--from", "images", "-n")
    words += ("--weights", str(colours))
    before = things.listing()
    printed = things.dtst(*words, "-c", "red")
    assert "detect: 4 images, 4 to compute, 0 known from records" in printed
    assert "cannot find" in things.dtst(*words, "-c", "yellow", ok=False)
    assert things.listing() == before
    things.run(settings=settings(classes="red"))
    before = things.listing()
    printed = things.dtst(*words, "-c", "green")
    assert "detect: 4 images, 0 to compute, 4 known from records" in printed
    printed = things.dtst(*words, "--clear")
    assert "detect: 4 images, 4 sidecars to clear" in printed
    assert things.listing() == before


@pytest.fixture(scope="module")
def chosen(settings):
    cluster = {"model": "efficientnet", "min_cluster_size": 2}
    return settings("classes", classes="red") | {"cluster": cluster}


@pytest.fixture(scope="module")
def finished(chosen, tmp_path_factory) -> Dataset:
    """The photos after the path; nobody may change it."""
    dataset = things_of_colour.write(tmp_path_factory.mktemp("finished"))
    dataset.run(settings=chosen)
    return dataset


@pytest.fixture
def made(finished, tmp_path) -> Dataset:
    """A copy of the photos after the path, to change at will."""
    return finished.copy(tmp_path)


class TestPathClasses:
    """detect, then extract-classes, then cluster."""

    def crops(self, dataset: Dataset) -> list[str]:
        return sorted(path.name for path in (dataset.folder / "crops").glob("*.jpg"))

    def test_an_edit_goes_all_the_way(self, made, chosen, tmp_path):
        Image.fromarray(colour_detector.photo(256, 128, {(9, 9, 70, 70): "red"})).save(
            made.folder / "images/mixed.png"
        )
        (made.folder / "images/left.png").unlink()
        made.run(settings=chosen)
        counts = made.computed()
        assert [counts[r] for r in ("detect", "extract_classes", "embed")] == [1, 1, 1]
        assert "mixed_red.jpg" in self.crops(made)
        assert "left_red.jpg" not in self.crops(made)
        assert_as_from_nothing(made, tmp_path, chosen)

    def test_what_the_user_writes_travels(self, made, chosen):
        photo = made.folder / "images/left.png"
        sidecars.write(photo, sidecars.read(photo) | {"author": "Ann"})
        made.run(settings=chosen)
        assert sidecars.read(made.folder / "crops/left_red.jpg")["author"] == "Ann"
        assert made.computed()["detect"] == 0
        assert NOTHING in made.run(settings=chosen)

    def test_damaged_crops_are_restored(self, made, chosen):
        before = made.results()
        (made.folder / "crops/left_red.jpg").unlink()
        made.run(settings=chosen)
        assert made.results() == before

    def test_the_wrapper_gives_the_same(self, things, finished, colours, tmp_path):
        config = tmp_path / "things.yaml"
        config.write_text(
            f"working_dir: {things.folder}\n"
            f"detect: {{weights: {colours}}}\n"
            "cluster: {model: efficientnet, min_cluster_size: 2}\n"
        )
        things.dtst("run", "classes", str(config), "--from", "images", "-c", "red")
        assert things.results() == finished.results()
