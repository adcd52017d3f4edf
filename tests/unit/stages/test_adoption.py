"""What a user does by hand among the clusters, and that it lasts once it is adopted."""

import functools
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from dtst_flow.cluster import label_file
from dtst_flow.dataset import cluster_list, sidecars
from dtst_flow.dataset.cluster_list import ClusterList
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import state_of
from dtst_flow.stages import adoption, by_hand, user_labels
from dtst_flow.stages.adoption import adopt
from dtst_flow.utils.files import read_json, write_atomic
from helpers.laid_out import Dataset

SIZES = {"cat": 7, "dog": 6, "cow": 5}


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Dataset:
    """Three clusters: cats in 000, dogs in 001, cows in 002; one cat with a sidecar."""
    folder = tmp_path / "crowd"
    for thing, size in SIZES.items():
        for i in range(size):
            path = folder / f"images/{thing}_{i}.jpg"
            write_atomic(path, f"{thing} {i}".encode())
    sidecars.write(folder / "images/cat_0.jpg", {"roll": 1})
    monkeypatch.chdir(folder)
    dataset = Dataset(folder)
    dataset.run("copy")
    return dataset


def names(thing: str, *without: int) -> list[str]:
    return [f"{thing}_{i}" for i in range(SIZES[thing]) if i not in without]


def move(name: str, target: str) -> None:
    """Move a file among the clusters, with its sidecar, as a file manager would."""
    (path,) = Path("cluster").glob(f"*/{name}.jpg")
    Path("cluster", target).mkdir(exist_ok=True)
    for each in (path, sidecars.path_of(path)):
        if each.exists():
            each.rename(Path("cluster", target, each.name))


def delete(name: str, folder: str = "*") -> None:
    (path,) = Path("cluster").glob(f"{folder}/{name}.jpg")
    path.unlink()


def rename(folder: str, new: str) -> None:
    Path("cluster", folder).rename(Path("cluster", new))


def empty(folder: str, target: str) -> None:
    for path in sorted(Path("cluster", folder).glob("*.jpg")):
        move(path.stem, target)
    Path("cluster", folder).rmdir()


GESTURES = {
    "to another": (
        lambda: move("cat_0", "001"),
        [names("cat", 0), [*names("dog"), "cat_0"], names("cow")],
    ),
    "to noise": (
        lambda: move("cat_0", "noise"),
        [names("cat", 0), names("dog"), names("cow")],
    ),
    "to a new one": (
        lambda: [move(name, "Ann") for name in ("cat_0", "dog_0", "cat_1")],
        [
            names("cat", 0, 1),
            names("dog", 0),
            names("cow"),
            ["cat_0", "cat_1", "dog_0"],
        ],
    ),
    "to rejected": (
        lambda: move("dog_1", "rejected"),
        [names("cat"), names("dog", 1), names("cow")],
    ),
    "file deleted": (
        lambda: delete("cat_0"),
        [names("cat", 0), names("dog"), names("cow")],
    ),
    "too few left": (
        lambda: [delete("cow_1"), delete("cow_2"), move("cow_3", "000")],
        [[*names("cat"), "cow_3"], names("dog"), names("cow", 1, 2, 3)],
    ),
    "folder deleted": (
        lambda: shutil.rmtree("cluster/002"),
        [names("cat"), names("dog")],
    ),
    "folder renamed": (
        lambda: rename("002", "Ann"),
        [names("cat"), names("dog"), names("cow")],
    ),
    "renamed and more": (
        lambda: [rename("002", "Ann"), move("dog_0", "Ann"), delete("cow_0")],
        [names("cat"), names("dog", 0), [*names("cow", 0), "dog_0"]],
    ),
    "merged": (
        lambda: empty("002", "001"),
        [names("cat"), [*names("dog"), *names("cow")]],
    ),
    "dissolved": (
        lambda: empty("002", "noise"),
        [names("cat"), names("dog")],
    ),
    "exchanged": (
        lambda: [move("cat_2", "001"), move("dog_2", "000")],
        [[*names("cat", 2), "dog_2"], [*names("dog", 2), "cat_2"], names("cow")],
    ),
    "another name": (
        lambda: Path("cluster/000/cat_0.jpg").rename("cluster/001/best.jpg"),
        [names("cat", 0), [*names("dog"), "cat_0"], names("cow")],
    ),
}
NAMED = {"to a new one", "folder renamed", "renamed and more"}
REJECTED = {
    "to rejected": ["dog_1"],
    "file deleted": ["cat_0"],
    "too few left": ["cow_1", "cow_2"],
    "folder deleted": names("cow"),
    "renamed and more": ["cow_0"],
}


def clusters(dataset) -> list[list[str]]:
    """The images of each cluster."""
    return sorted(
        sorted(Path(image).stem for image in images)
        for folder, images in dataset.folders().items()
        if folder.isdecimal()
    )


def unlisted(dataset) -> set[str]:
    """What is in the bucket besides what is laid out."""
    listed = {Path(file).name for file in dataset.placed()}
    found = Counter(name for _, _, names in os.walk("cluster") for name in names)
    more = {name for name, count in found.items() if count > 1}
    sides = {name for name in found if name.removesuffix(".json") in listed}
    return (found.keys() - listed - sides - {"clusters.json", "labels.csv"}) | more


def folder_of(name: str) -> str:
    (path,) = Path("cluster").glob(f"*/{name}.jpg")
    return path.parent.name


def states() -> set[str]:
    _, known = user_labels.read_again("cluster")
    return {reading.state for reading in known.readings}


@pytest.mark.parametrize("late", [False, True], ids=["before a run", "after one"])
@pytest.mark.parametrize("gesture", GESTURES)
def test_what_is_done_by_hand_lasts_once_it_is_adopted(dataset, gesture, late):
    act, expected = GESTURES[gesture]
    before = dataset.folders()
    act()
    if late:
        dataset.run("copy")
        assert dataset.folders() == before  # all is as it was
        assert "changes by hand were not kept" in dataset.said()
        assert "dtst labels adopt" in dataset.said()
    adopted = adopt("cluster")
    assert adopted.done and adopted.add and not adopted.remove
    for _ in range(2):
        dataset.run("copy")
        assert clusters(dataset) == sorted(map(sorted, expected))
        found = read_json("cluster/clusters.json")
        rejected = [Path(each["path"]).stem for each in found["rejected"]]
        assert rejected == REJECTED.get(gesture, [])
        called = {cluster["name"] for cluster in found["clusters"]} - {None}
        assert called == ({"Ann"} if gesture in NAMED else set())
        assert unlisted(dataset) == set()
        assert "by hand" not in dataset.said() and "stay" not in dataset.said()
    assert states() == {"in force"}
    assert adopt("cluster").done == []


def test_the_next_run_knows_that_it_has_something_to_settle(dataset):
    ledgers = Ledgers("cluster", state_of("cluster"))
    delete("cat_0")
    assert by_hand.PART not in ledgers.damaged_parts()
    adopt("cluster")
    assert by_hand.PART in ledgers.damaged_parts()
    dataset.run("copy")
    assert ledgers.damaged_parts() == []


def test_looking_changes_nothing(dataset):
    move("cat_0", "001")
    before = dataset.results()
    adopted = adopt("cluster", write=False)
    assert adopted.done == ["'images/cat_0.jpg' from 000 to 001"]
    assert dataset.results() == before


@pytest.mark.parametrize(
    "act",
    [
        lambda: [move("cat_0", "001"), move("cat_0", "000")],
        lambda: Path("cluster/000/cat_0.jpg").rename("cluster/000/best.jpg"),
        lambda: shutil.copy("cluster/000/cat_0.jpg", "cluster/001/cat_0.jpg"),
        lambda: rename("002", "077"),
        lambda: [shutil.rmtree(path) for path in Path("cluster").glob("0*")],
        lambda: shutil.rmtree("cluster"),
    ],
    ids=["back", "in its folder", "copied", "a number", "all", "the bucket"],
)
def test_what_means_nothing_is_not_adopted(dataset, act):
    before = dataset.folders()
    act()
    assert adopt("cluster").add == [] and not Path("cluster/labels.csv").exists()
    dataset.run("copy")
    assert dataset.folders() == before
    assert "by hand" not in dataset.said()


def test_a_second_move_takes_the_place_of_the_first(dataset):
    for friend in ("dog_1", "cow_1", "cat_1"):
        move("cat_0", folder_of(friend))
        adopt("cluster")
        dataset.run("copy")
        assert folder_of("cat_0") == folder_of(friend)
        assert states() <= {"in force"} and unlisted(dataset) == set()
    move("cat_0", "rejected")
    adopt("cluster")
    dataset.run("copy")
    move("cat_0", "000")
    assert adopt("cluster").remove == [("reject", "images/cat_0.jpg", "")]
    dataset.run("copy")
    assert len(dataset.folders()["000"]) == 7


def test_a_second_move_before_the_first_is_adopted_counts_alone(dataset):
    move("cat_0", "001")
    dataset.run("copy")
    Path("cluster/000/cat_0.jpg").rename("cluster/002/cat_0.jpg")
    dataset.run("copy")
    assert adopt("cluster").done == ["'images/cat_0.jpg' from 000 to 002"]
    dataset.run("copy")
    assert folder_of("cat_0") == folder_of("cow_0")
    assert states() == {"in force"} and unlisted(dataset) == set()


def test_what_is_undone_by_hand_is_not_adopted(dataset):
    move("cat_0", "001")
    dataset.run("copy")
    for path in Path("cluster/001").glob("cat_0*"):
        path.unlink()
    assert adopt("cluster").done == []


def test_it_is_forgotten_on_demand(dataset):
    delete("cat_0")
    dataset.run("copy")
    assert adoption.forget("cluster") == 1
    assert adopt("cluster").done == []


def test_who_stays_keeps_what_was_said_of_who_left(dataset):
    rows = ["name,images/cat_0.jpg,Ann", "must-link,images/dog_0.jpg,images/cat_0.jpg"]
    rows.append("not,images/cow_0.jpg,images/cat_0.jpg")
    Path("cluster/labels.csv").write_text("# mine\n" + "\n".join(rows) + "\n")
    dataset.run("copy")
    first = dataset.folders()["000"]
    assert len(first) == 13  # a link of two brings their clusters together
    move("cat_0", "noise")
    adopt("cluster")
    dataset.run("copy")
    assert dataset.folders()["000"] == first - {"images/cat_0.jpg"}
    assert read_json("cluster/clusters.json")["clusters"][0]["name"] == "Ann"
    assert Path("cluster/labels.csv").read_text().startswith("# mine\n")
    assert states() == {"in force"}


def test_of_a_cluster_that_was_rejected_one_comes_back(dataset):
    Path("cluster/labels.csv").write_text("reject,002,ugly\n")
    dataset.run("copy")
    assert len(dataset.folders()["rejected"]) == 5
    move("cow_0", "000")
    adopt("cluster")
    dataset.run("copy")
    assert len(dataset.folders()["rejected"]) == 4
    assert "images/cow_0.jpg" in dataset.folders()["000"]
    labels, _ = label_file.read("cluster/labels.csv")
    assert sorted(c.cells for c in labels if c.relation == "reject") == [
        ("reject", f"images/cow_{i}.jpg", "ugly") for i in range(1, 5)
    ]


def test_a_new_name_takes_the_place_of_the_old(dataset):
    for new in ("Ann", "Eve"):
        folder = Path("cluster/002") if new == "Ann" else Path("cluster/Ann")
        folder.rename(Path("cluster", new))
        adopt("cluster")
        dataset.run("copy", folders="name")
        assert Path("cluster", new, "cow_0.jpg").exists()
    labels, _ = label_file.read("cluster/labels.csv")
    assert [label.other for label in labels] == ["Eve"]
    assert sorted(dataset.folders()) == ["000", "001", "Eve"]


def test_a_file_of_the_users_is_not_taken(dataset):
    mine = Path("cluster/Ann/mine.jpg")
    write_atomic(mine, b"mine")
    move("cat_0", "Ann")
    adopt("cluster")
    dataset.run("copy", folders="name")
    assert mine.read_bytes() == b"mine"


def test_a_copy_that_the_user_made_stays(dataset):
    Path("cluster/best").mkdir()
    mine = Path("cluster/best/cat_0.jpg")
    mine.write_bytes(Path("cluster/000/cat_0.jpg").read_bytes())
    os.utime(mine, (1, 1))
    delete("cat_0", "000")
    (said,) = adopt("cluster").done
    assert said.startswith(
        "'images/cat_0.jpg' from 000 to the new best (one image makes"
    )
    dataset.run("copy")
    assert mine.exists() and Path("cluster/noise/cat_0.jpg").exists()


def test_links_are_known_again(dataset):
    dataset.run("symbolic")
    move("cat_0", "001")
    rename("002", "Ann")
    adopt("cluster")
    dataset.run("symbolic")
    assert folder_of("cat_0") == folder_of("dog_0")
    assert unlisted(dataset) == set()


@pytest.mark.parametrize("garbage", ["", "{", "[3]", '[{"said": 1}]', "null", "{}"])
def test_a_damaged_memory_costs_only_itself(dataset, garbage):
    (dataset.state / "by_hand.json").write_text(garbage)
    (dataset.state / "put_back.jsonl").write_text(garbage)
    assert by_hand.put_back("cluster") == set()
    move("cat_0", "001")
    assert len(adopt("cluster").done) == 1


def content(name: str) -> bytes:
    return name.replace("_", " ").encode()


class TestCrops:
    @pytest.fixture
    def before(self, dataset) -> ClusterList:
        """The cats are crops of ours, the others photos."""
        part = Part(Ledgers("images", state_of("images")), "s")
        entries = [
            part.write(f"{name}.jpg", "key", functools.partial(content, name))[0]
            for name in names("cat")
        ]
        part.ledgers.commit({"s": entries})
        return cluster_list.read("cluster/clusters.json")

    def test_those_that_were_deleted_are_rejected(self, dataset, before):
        Path("images/cat_1.jpg").unlink()
        Path("images/dog_1.jpg").unlink()  # a photo that went, as photos do
        assert by_hand.deleted_crops(before) == [
            by_hand.Move("images/cat_1.jpg", "images", None)
        ]
        adopted = adopt("cluster", write=False)
        assert adopted.add == [("reject", "images/cat_1.jpg", "")]
        assert "a run makes it there again" in adopted.done[0]

    def test_also_once_they_were_put_back(self, dataset, before):
        part = Part(Ledgers("images", state_of("images")), "s")
        Path("images/cat_1.jpg").unlink()
        Path("images/cat_2.jpg").write_bytes(b"edited")
        for name in names("cat"):
            part.write(f"{name}.jpg", "key", functools.partial(content, name))
        assert part.ledgers.restored() == ["cat_1.jpg", "cat_2.jpg"]
        assert part.ledgers.put_back() == {"cat_1.jpg"}
        by_hand.note_put_back("images", part.ledgers.put_back())
        adopt("cluster")
        labels, _ = label_file.read("cluster/labels.csv")
        assert [label.cells for label in labels] == [("reject", "images/cat_1.jpg", "")]
        assert by_hand.put_back("images") == set()

    def test_where_all_are_away_nothing_is_meant(self, dataset, before):
        for name in names("cat"):
            Path(f"images/{name}.jpg").unlink()
        shutil.rmtree("cluster")
        assert by_hand.deleted_crops(before) == []
