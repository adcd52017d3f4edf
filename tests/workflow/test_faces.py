"""Path A as a user lives with it: reruns after all kinds of edits."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from dtst_flow.dataset import sidecars
from dtst_flow.utils.tables import read_table
from helpers.dataset import DLIB, NOTHING, Dataset, photos_of


def assert_as_from_nothing(dataset, tmp_path, **kwargs) -> None:
    """What lies there now is what a run from nothing gives, byte for byte."""
    anew = dataset.from_nothing(tmp_path / "anew")
    anew.run(**kwargs)
    ours, theirs = dataset.results(), anew.results()
    assert ours.keys() == theirs.keys()
    assert [path for path in ours if ours[path] != theirs[path]] == []


def settings(stage: str, **values) -> dict:
    """The usual settings, some of one stage changed."""
    return DLIB | {stage: DLIB[stage] | values}


def test_second_run_has_nothing_to_do(dataset):
    before = dataset.results()
    assert NOTHING in dataset.run("--dry-run")
    assert NOTHING in dataset.run()
    assert dataset.results() == before


def test_touched_photos_compute_nothing(dataset):
    before = dataset.results()
    for photo in photos_of(dataset):
        photo.touch()
    dataset.run()
    assert dataset.jobs() == {}
    assert dataset.results() == before
    assert NOTHING in dataset.run("--dry-run")


def test_added_photo_computes_one_image(dataset, tmp_path):
    source = Image.open(photos_of(dataset)[0])
    ImageOps.mirror(source).save(dataset.folder / "images/roll1/new.jpg")
    small = DLIB | {"shard_size": 9}
    dataset.run(settings=small)  # many shards, all from records
    assert dataset.computed()["extract_faces"] == 1
    ImageOps.flip(ImageOps.mirror(source)).rotate(175).save(
        dataset.folder / "images/roll2/newer.jpg"
    )
    dataset.run(settings=small)
    assert dataset.computed()["extract_faces"] == 1
    assert dataset.jobs()["extract_faces"] == 1
    assert NOTHING in dataset.run("--dry-run", settings=small)
    assert_as_from_nothing(dataset, tmp_path)


def test_changed_photo_computes_one_image(dataset, tmp_path):
    photo = photos_of(dataset)[3]
    Image.open(photo).rotate(5, Image.Resampling.BICUBIC).save(photo)
    dataset.run()
    assert dataset.computed()["extract_faces"] == 1
    assert_as_from_nothing(dataset, tmp_path)


def test_removed_photo_takes_its_crops_along(dataset, tmp_path):
    photo = photos_of(dataset)[5]
    photo.unlink()
    dataset.run()
    assert dataset.computed()["extract_faces"] == 0
    assert not list((dataset.folder / "faces").glob(f"{photo.stem}_*"))
    assert_as_from_nothing(dataset, tmp_path)


def test_renamed_photo_runs_no_model(dataset, tmp_path):
    photo = photos_of(dataset)[0]
    photo.rename(photo.with_name("renamed.jpg"))
    dataset.run()
    assert set(dataset.computed().values()) == {0} or dataset.computed() == {
        "extract_faces": 0,
        "embed": 0,
        "cluster": dataset.computed()["cluster"],
    }
    assert (dataset.folder / "faces/renamed_00.jpg").exists()
    assert not (dataset.folder / f"faces/{photo.stem}_00.jpg").exists()
    assert_as_from_nothing(dataset, tmp_path)


def test_equal_names_in_two_folders_keep_apart(dataset, tmp_path):
    first, second = photos_of(dataset)[0], photos_of(dataset)[-1]
    for folder, photo in (("a", first), ("b", second)):
        target = dataset.folder / "images" / folder / "same.jpg"
        target.parent.mkdir()
        photo.rename(target)
    sidecars.write(dataset.folder / "images/a/same.jpg", {"source": "flickr"})
    dataset.run()
    a, b = (dataset.folder / f"faces/{x}_same_00.jpg" for x in "ab")
    assert a.read_bytes() != b.read_bytes()
    assert sidecars.read(a)["provenance"]["image"] == "images/a/same.jpg"
    assert sidecars.read(b)["provenance"]["image"] == "images/b/same.jpg"
    assert sidecars.read(a)["source"] == "flickr"
    assert "source" not in sidecars.read(b)
    assert_as_from_nothing(dataset, tmp_path)


def test_changed_parameter_and_back(dataset, tmp_path):
    before = dataset.results()
    capped = settings("extract_faces", max_size=64)
    dataset.run(settings=capped)
    assert dataset.computed()["extract_faces"] == 0  # the faces are known
    for crop in (dataset.folder / "faces").glob("*.jpg"):
        assert Image.open(crop).width <= 64
    assert_as_from_nothing(dataset, tmp_path, settings=capped)
    dataset.run()
    assert dataset.computed()["embed"] == 0
    assert dataset.results() == before


def test_max_faces_keeps_the_largest(dataset, group_photo):
    shutil.copy(group_photo, dataset.folder / "images")
    dataset.run(settings=settings("extract_faces", max_faces=2))
    made = sorted((dataset.folder / "faces").glob("t1_*.jpg"))
    assert [path.name for path in made] == ["t1_00.jpg", "t1_01.jpg"]
    sizes = [Image.open(path).width for path in made]
    assert sizes[0] >= sizes[1] * 0.9


def test_limits_leave_faces_out_and_compute_nothing(dataset):
    before = dataset.results()
    crops = sorted((dataset.folder / "faces").glob("*.jpg"))
    qualities = sorted(sidecars.read(crop)["metrics"]["quality"] for crop in crops)
    middle = qualities[len(qualities) // 2]
    left_out = sum(quality < middle for quality in qualities)
    limited = settings("extract_faces", min_quality=middle)
    printed = dataset.run(settings=limited)
    assert f"{left_out} faces were left out by --min-quality" in printed
    kept = sorted((dataset.folder / "faces").glob("*.jpg"))
    assert len(kept) == len(crops) - left_out and set(kept) <= set(crops)
    assert dataset.computed()["extract_faces"] == dataset.computed()["embed"] == 0
    dataset.run()
    assert dataset.computed()["extract_faces"] == dataset.computed()["embed"] == 0
    assert dataset.results() == before


@pytest.mark.parametrize("clusters_too", [False, True])
def test_damaged_results_are_restored(dataset, clusters_too):
    before = dataset.results()
    crops = sorted((dataset.folder / "faces").glob("*.jpg"))
    crops[0].unlink()
    crops[1].write_bytes(b"scribble")
    sidecars.path_of(crops[2]).unlink()
    if clusters_too:
        shutil.rmtree(dataset.folder / "cluster/000")
    dataset.run()
    assert dataset.results() == before
    assert dataset.computed()["extract_faces"] == 0
    assert NOTHING in dataset.run("--dry-run")


def test_users_files_and_keys_survive(dataset, tmp_path):
    crop = sorted((dataset.folder / "faces").glob("*.jpg"))[0]
    sidecars.write(crop, sidecars.read(crop) | {"rating": 5})
    mine = dataset.folder / "cluster/mine.txt"
    mine.write_text("notes")
    source = dataset.folder / sidecars.read(crop)["provenance"]["image"]
    sidecars.write(source, {"license": "CC0", "classes": {"face": []}})
    dataset.run()
    content = sidecars.read(crop)
    assert content["rating"] == 5 and content["license"] == "CC0"
    assert "classes" not in content
    sidecars.path_of(source).unlink()
    dataset.run(settings=settings("cluster", clean=True))
    assert sidecars.read(crop)["rating"] == 5 and "license" not in sidecars.read(crop)
    assert mine.read_text() == "notes"


def test_users_own_crop_is_clustered_too(dataset):
    crop = dataset.folder / "faces/collins_0_00.jpg"  # of one who fills a cluster
    own = dataset.folder / "faces/own.jpg"
    with Image.open(crop) as image:
        image.resize((150, 150)).save(own)
    dataset.run()
    assert dataset.computed()["embed"] == 1
    clusters = {
        member["path"]: cluster["rank"]
        for cluster in dataset.clusters()["clusters"]
        for member in cluster["members"]
    }
    assert clusters["faces/own.jpg"] == clusters[f"faces/{crop.name}"]
    assert own.exists()


def test_foreign_file_in_the_way_is_left_alone(dataset):
    shutil.copy(photos_of(dataset)[0], dataset.folder / "images/fresh.jpg")
    foreign = dataset.folder / "faces/fresh_00.jpg"
    foreign.write_bytes(b"the user's own")
    dataset.run()
    assert foreign.read_bytes() == b"the user's own"
    failed = list(read_table(dataset.folder / ".dtst/buckets/faces/failed.jsonl"))
    assert [row["path"] for row in failed] == ["images/fresh.jpg"]
    assert "not written by dtst" in failed[0]["reason"]


def test_broken_photos_cost_only_themselves(dataset):
    before = dataset.results()
    photo = dataset.folder / "images/sidecar.jpg"
    shutil.copy(photos_of(dataset)[0], photo)
    (dataset.folder / "images/empty.jpg").touch()
    (dataset.folder / "images/text.png").write_text("no image")
    (dataset.folder / "images/notes.txt").write_text("no image")
    sidecars.path_of(photo).write_text("{broken")
    printed = dataset.run()
    failed = list(read_table(dataset.folder / ".dtst/buckets/faces/failed.jsonl"))
    assert [Path(row["path"]).name for row in failed] == [
        "empty.jpg",
        "sidecar.jpg",  # the sidecar alone
        "text.png",
    ]
    assert "2 images could not be processed" in printed
    assert "1 sidecars could not be used; faces were cut without them" in printed
    assert "1 files were passed over" in printed
    assert (dataset.folder / "faces/sidecar_00.jpg").exists()
    after = dataset.results()
    before = {p: before[p] for p in before if not p.startswith("cluster/")}
    assert {path: after[path] for path in before} == before
    assert sidecars.path_of(photo).read_text() == "{broken"
    printed = dataset.run(settings=DLIB | {"strict": True}, ok=False)
    assert "2 images failed and --strict was given" in printed


def test_run_fails_when_no_image_can_be_processed(tmp_path):
    dataset = Dataset(tmp_path / "broken")
    (dataset.folder / "images").mkdir(parents=True)
    for name in "ab":
        (dataset.folder / f"images/{name}.jpg").write_text("no image")
    printed = dataset.run(ok=False)
    assert "2 images could not be processed" in printed
    assert "Traceback" not in printed
    assert not (dataset.folder / "cluster").exists()


def test_crops_without_a_face_are_taken_at_the_centre_and_counted(dataset):
    Image.new("RGB", (90, 90), "teal").save(dataset.folder / "faces/plain.jpg")
    printed = dataset.run()
    assert "1 crops show no face that could be found" in printed
    assert dataset.computed()["embed"] == 1


@pytest.mark.parametrize("size", [0, 1, 3])
def test_few_images_end_in_a_sentence(finished, tmp_path, size):
    dataset = Dataset(tmp_path / "few")
    (dataset.folder / "images").mkdir(parents=True)
    for photo in photos_of(finished)[:size]:
        shutil.copy(photo, dataset.folder / "images")
    printed = dataset.run(ok=size > 0)
    if size:
        assert "fewer images than --min-cluster-size 5" in printed
        assert dataset.clusters()["clusters"] == []
        assert len(dataset.clusters()["noise"]) == size
    else:
        assert "nothing matches 'images/*'" in printed


def test_one_single_identity_is_one_cluster(finished, tmp_path):
    dataset = Dataset(tmp_path / "one")
    (dataset.folder / "images").mkdir(parents=True)
    for photo in photos_of(finished):
        if photo.name.startswith("hopper"):
            shutil.copy(photo, dataset.folder / "images")
    assert "one single cluster" in dataset.run()
    assert len(dataset.clusters()["clusters"]) == 1


def test_shards_and_workers_leave_no_trace(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    split = settings("extract_faces", workers=2) | {"shard_size": 7}
    anew.run(settings=split)
    assert anew.results() == finished.results()


def test_top_keeps_the_rest_listed(dataset):
    whole = dataset.clusters()
    printed = dataset.run(settings=settings("cluster", top=2))
    assert dataset.computed().keys() == {"cluster"}
    folders = {path.name for path in (dataset.folder / "cluster").iterdir()}
    assert folders - {"noise"} == {"000", "001", "clusters.json"}
    kept = dataset.clusters()
    members, of_whole = (
        [[member["path"] for member in c["members"]] for c in clusters["clusters"]]
        for clusters in (kept, whole)
    )
    assert members == of_whole and kept["noise"] == whole["noise"]
    assert kept["clusters"][2]["folder"] is None
    assert "clusters.json lists them" in printed


def test_no_cache_computes_anew_once(dataset):
    before = dataset.results()
    crops = len(list((dataset.folder / "faces").glob("*.jpg")))
    folder = str(dataset.folder)
    words = (
        "cluster",
        "-d",
        folder,
        "--from",
        "faces",
        "--model",
        "dlib",
        "--count-duplicates",
    )
    dataset.dtst(*words)
    assert dataset.computed().get("embed", 0) == 0
    dataset.dtst(*words, "--no-cache")
    assert dataset.computed()["embed"] == crops
    assert "nothing to do" in dataset.dtst(*words)
    assert dataset.results() == before


def test_nothing_to_cluster_is_an_error_each_time(tmp_path):
    dataset = Dataset(tmp_path / "plain")
    (dataset.folder / "images").mkdir(parents=True)
    Image.new("RGB", (200, 200), "teal").save(dataset.folder / "images/a.png")
    for _ in range(2):
        assert "the source holds no image" in dataset.run(ok=False)
        assert not (dataset.folder / "cluster").exists()


def test_lost_state_is_computed_anew(dataset):
    before = dataset.results()
    shutil.rmtree(dataset.folder / ".dtst")
    dataset.run()
    assert dataset.results() == before
