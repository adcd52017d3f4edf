"""Clusters over many runs: ids that stay, what the user knows, what changed."""

import os
import shutil

import pytest
from PIL import Image, ImageOps

from dtst_flow.dataset import sidecars
from helpers.dataset import DLIB, Dataset

NOTHING = "Nothing to be done"


def ids(dataset: Dataset) -> dict[str, str]:
    """Image -> the id of its cluster."""
    return {
        member["path"]: cluster["id"]
        for cluster in dataset.clusters()["clusters"]
        for member in cluster["members"]
    }


def crops_of(dataset: Dataset, person: str) -> list[str]:
    """The crops of one person's photos, as clusters.json calls them."""
    return sorted(
        f"faces/{path.name}"
        for path in (dataset.folder / "faces").glob(f"{person}_*.jpg")
    )


@pytest.fixture
def crowd(demo, tmp_path) -> Dataset:
    """A copy of the finished demonstration, which has more people, to change at will."""
    return demo.copy(tmp_path)


def test_ids_stay_when_photos_come_and_go(crowd):
    before = ids(crowd)
    photos = sorted((crowd.folder / "images").rglob("*.jpg"))
    for photo in photos[:2]:
        photo.unlink()
    ImageOps.mirror(Image.open(photos[5])).save(crowd.folder / "images/added.jpg")
    photos[8].rename(photos[8].with_name("renamed.jpg"))
    crowd.run()
    after = ids(crowd)
    shared = before.keys() & after.keys()
    assert len(shared) > 60
    kept = sum(before[path] == after[path] for path in shared)
    assert kept >= 0.99 * len(shared)


def test_ids_do_not_depend_on_how_often_it_runs(dataset):
    before = ids(dataset)
    dataset.run("--forceall")
    assert ids(dataset) == before


def test_diff_tells_what_became_of_clusters(dataset):
    printed = dataset.dtst("diff", "-d", str(dataset.folder))
    assert "born: " in printed  # before the first run there was nothing
    person = ids(dataset)[crops_of(dataset, "hopper")[0]]
    for photo in (dataset.folder / "images").rglob("hopper_*.jpg"):
        photo.unlink()
    dataset.run()
    printed = dataset.dtst("diff", "-d", str(dataset.folder))
    assert f"died: {person}" in printed
    assert "removed" in printed
    dataset.run("--forceall")
    assert dataset.dtst("diff", "-d", str(dataset.folder)) == printed
    printed = dataset.dtst("diff", "-d", str(dataset.folder), "--to", "x", ok=False)
    assert "no run has clustered into" in printed


def test_what_the_user_knows_holds_in_every_run(dataset):
    hanks, hopper = (crops_of(dataset, name) for name in ("hanks", "hopper"))
    text = (
        "relation,image,other\n"
        f"must-link,{hanks[0]},{hopper[0]}\n"
        f"name,{hanks[1]},Tom & Grace\n"
        "must-link,faces/nobody.jpg,faces/none.jpg\n"
    )
    labels = dataset.folder / "cluster/labels.csv"
    labels.write_text(text)
    os.utime(labels, (4e9, 4e9))  # such as an archive from another time zone brings
    printed = dataset.run()
    assert "line 4: no image or cluster is called 'faces/nobody.jpg'" in printed
    together = ids(dataset)
    assert together[hanks[0]] == together[hopper[0]]
    named = [c for c in dataset.clusters()["clusters"] if c["name"]]
    assert [c["name"] for c in named] == ["Tom & Grace"]
    assert NOTHING in dataset.run()
    dataset.run(settings=DLIB | {"cluster": DLIB["cluster"] | {"clean": True}})
    assert labels.read_text() == text
    labels.write_text(f"cannot-link,{hanks[0]},{hanks[1]}\n")
    dataset.run()
    apart = ids(dataset)
    assert apart.get(hanks[0], 0) != apart.get(hanks[1], 1)
    labels.unlink()
    dataset.run()
    assert ids(dataset)[hanks[0]] == ids(dataset)[hanks[1]]


def test_known_people_name_their_clusters(dataset):
    """Their photos are embedded, once, but not laid out, and change no other name."""
    before = dataset.results()
    hanks = crops_of(dataset, "hanks")
    photo = next((dataset.folder / "images").rglob("hanks_*.jpg"))
    known = dataset.folder / "people/Tom/known.jpg"
    known.parent.mkdir(parents=True)
    shutil.copy(photo, known)
    shutil.copy(dataset.folder / hanks[0], known.with_name("crop.jpg"))
    people = DLIB | {"cluster": DLIB["cluster"] | {"people": "people"}}
    printed = dataset.run(settings=people)
    assert "1 of 1 known person found" in printed
    assert dataset.computed()["embed"] == 2
    [tom] = [c for c in dataset.clusters()["clusters"] if c["name"]]
    assert tom["name"] == "Tom"
    assert set(hanks) & {member["path"] for member in tom["members"]}
    assert not any("people" in path for path in ids(dataset))
    assert NOTHING in dataset.run(settings=people)
    after = {p for p in dataset.results() if not p.startswith("people/")}
    assert after == before.keys()
    shutil.rmtree(dataset.folder / "people")
    dataset.run()
    assert dataset.results() == before


def test_a_low_ceiling_takes_clusters_apart(dataset):
    low = DLIB | {"cluster": DLIB["cluster"] | {"max_distance": 0.001}}
    printed = dataset.run(settings=low)
    assert "0 clusters" in printed
    assert dataset.clusters()["parameters"]["max_distance"] == 0.001
    dataset.run()
    assert dataset.clusters()["parameters"]["max_distance"] == 0.06


def test_a_lost_history_costs_only_the_ids(dataset):
    before = dataset.results()
    shutil.rmtree(dataset.folder / ".dtst/buckets/cluster")
    dataset.run()
    assert dataset.results() == before
    assert all(
        "provenance" in sidecars.read(path)
        for path in (dataset.folder / "cluster").rglob("*.jpg")
    )


def test_a_burst_is_no_cluster_by_itself(crowd):
    """The shots of a person come from one photo: near-duplicates, most of them."""
    listed = crowd.clusters()
    assert len(listed["near_duplicates"]) >= 5
    printed = crowd.run(settings=DLIB | {"cluster": {"model": "dlib"}})
    assert "are near-duplicates of others and count once" in printed
    alone = crowd.clusters()
    assert alone["near_duplicates"] == listed["near_duplicates"]
    assert len(alone["clusters"]) < len(listed["clusters"])
    placed = {m["path"]: c["rank"] for c in alone["clusters"] for m in c["members"]}
    for burst in alone["near_duplicates"]:
        assert len({placed.get(path) for path in burst}) == 1


def test_what_is_done_by_hand_is_told_and_lasts_once_it_is_adopted(dataset):
    """Also crops that were deleted, and after a run that put all of it back."""
    hanks, hopper = (crops_of(dataset, name) for name in ("hanks", "hopper"))
    files = {m["path"]: m["file"] for m in members(dataset)}
    before, clusters = dataset.results(), dataset.folder / "cluster"
    (clusters / files[hopper[0]]).parent.rename(clusters / "Grace Hopper")
    (clusters / files[hanks[1]]).unlink()
    for path in (
        dataset.folder / hanks[0],
        sidecars.path_of(dataset.folder / hanks[0]),
    ):
        path.unlink()
    command = ["run", "faces", "-d", str(dataset.folder), "--engine", "dlib"]
    command += ["--model", "dlib", "--count-duplicates", "--workers", "1"]
    printed = dataset.dtst(*command)
    assert "3 changes by hand were not kept" in printed
    assert "`dtst labels adopt` has every run follow them" in printed
    after = dataset.results()
    assert {path: after[path] for path in before} == before
    printed = dataset.dtst(*command, "--adopt", "--folders", "name")
    assert f"+ reject,{hanks[0]}," in printed
    assert "2 images are rejected" in printed
    rejected = {image["path"] for image in dataset.clusters()["rejected"]}
    assert rejected == set(hanks[:2])
    assert {path.name for path in clusters.iterdir()} >= {"Grace Hopper", "rejected"}
    assert len(list((clusters / "Grace Hopper").glob("hopper_*.jpg"))) == len(hopper)
    listed = {member["file"] for member in members(dataset)}
    assert {p for p in clusters.glob("*/*.jpg")} == {clusters / file for file in listed}
    printed = dataset.dtst("labels", "check", "-d", str(dataset.folder))
    assert printed.splitlines() == ["3 lines: 3 in force"]
    assert "nothing to do" in dataset.dtst(*command, "--adopt", "--folders", "name")


def members(dataset: Dataset) -> list[dict]:
    """All images of clusters.json."""
    found = dataset.clusters()
    inside = [member for cluster in found["clusters"] for member in cluster["members"]]
    return [*inside, *found["noise"], *found["rejected"]]
