"""What files say of whose they are, where no ledger tells."""

import os
import shutil
from pathlib import Path

import pytest

from dtst_flow.dataset import evidence, sidecars, waiting
from dtst_flow.dataset.cluster_list import ClusterEvidence
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import ForeignFile, Part
from dtst_flow.dataset.provenance import sign
from dtst_flow.stages.crops import of_boxes, of_faces
from dtst_flow.utils.files import digest, to_json, write_atomic
from helpers.evidence import CLUSTERS, FACE

BOX = {
    "image": "images/photo.jpg",
    "digest": "0" * 32,
    "class": "traffic light",
    "box": [0, 0, 9, 9],
    "score": None,
    "crop": [0, 0, 9, 9],
}
NAME = "photo_00.jpg"


@pytest.fixture
def bucket(tmp_path) -> Path:
    return tmp_path / "faces"


def ledgers(bucket: Path) -> Ledgers:
    """Those of a bucket of faces, as a job has them."""
    return Ledgers(bucket, bucket.parent / "state", of_faces(bucket))


def put(
    bucket: Path, name: str = NAME, content: str = "crop", settle: bool = True, **keys
) -> None:
    """Write a crop of a face as a run does, with keys that its photo's sidecar has."""
    provenance = FACE | keys.pop("of", {})
    ours = sign(
        {**keys, "provenance": provenance, "metrics": {"a": 1}}, content.encode()
    )
    made = ledgers(bucket)
    entry, _ = Part(made, "s").write(name, f"{content}{ours}", content.encode, ours)
    if settle:
        made.commit({"s": [entry]})


def lose(bucket: Path) -> None:
    shutil.rmtree(bucket.parent / "state")


def contents(bucket: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bucket.iterdir()}


def anew(bucket: Path, **how) -> dict[str, bytes]:
    """What a run from nothing leaves."""
    other = bucket.parent / "anew/faces"
    put(other, **how)
    return contents(other)


MINE = b"the user's own"

FOREIGN = [
    {},
    None,
    "me",
    {"source": "flickr"},
    {"image": "images/photo.jpg", "digest": "0" * 32},
    FACE,
    FACE | {"file": "0" * 32},
    FACE | {"file": "0" * 32, "keys": {"a": 1}},
    FACE | {"file": "0" * 32, "keys": {}, "mine": 1},
    FACE | {"file": "0" * 32, "keys": {}, "image": "../photo.jpg"},
    FACE | {"file": "0" * 32, "keys": {}, "image": "images/other.jpg"},
    FACE | {"file": "0" * 32, "keys": {}, "digest": "1" * 32},
]


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("said", FOREIGN)
def test_a_provenance_of_somebody_else_makes_no_file_ours(bucket, said, lost):
    if not lost:
        put(bucket, "other_00.jpg", of={"image": "images/other.jpg"})
    write_atomic(bucket / NAME, MINE)
    sidecars.write(bucket / NAME, {"provenance": said})
    before = contents(bucket)
    with pytest.raises(ForeignFile):
        put(bucket, of={"score": 0.5})
    assert contents(bucket) == before
    if lost:
        ledgers(bucket).commit({})
        assert contents(bucket) == before


def test_what_edits_of_a_crop_leave_is_ours_if_it_names_this_photo(bucket):
    for state in (lose, lambda bucket: None):
        put(bucket)
        (bucket / NAME).write_bytes(b"retouched")
        state(bucket)
        put(bucket)
        assert contents(bucket) == anew(bucket)


def test_a_sidecar_of_the_users_without_a_file_keeps_its_provenance(bucket):
    sidecars.write(bucket / NAME, {"provenance": {"source": "flickr"}})
    before = contents(bucket)
    with pytest.raises(ForeignFile, match="a provenance that dtst did not write") as it:
        put(bucket)
    assert it.value.file == sidecars.path_of(bucket / NAME)
    assert contents(bucket) == before


def test_what_the_user_puts_where_a_kill_left_our_sidecar_is_theirs(
    bucket, monkeypatch
):
    def killed(*names):
        raise KeyboardInterrupt

    real = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(
            os, "replace", lambda a, b: real(a, b) if b.suffix == ".json" else killed()
        )
        with pytest.raises(KeyboardInterrupt):
            put(bucket)
    assert sidecars.read(bucket / NAME)["provenance"]["digest"] == "0" * 32
    write_atomic(bucket / NAME, MINE)
    with pytest.raises(ForeignFile):
        put(bucket)
    assert (bucket / NAME).read_bytes() == MINE


class TestLost:
    """The ledger is lost."""

    def test_another_photo_of_the_name_takes_its_place(self, bucket):
        put(bucket, license="CC0", source="x")
        sidecars.write(
            bucket / NAME, sidecars.read(bucket / NAME) | {"rating": 5, "source": "me"}
        )
        lose(bucket)
        now = {"content": "new", "of": {"digest": "1" * 32}, "license": "CC-BY"}
        put(bucket, **now)
        assert (bucket / NAME).read_bytes() == b"new"
        anew(bucket, **now)
        expected = sidecars.read(bucket.parent / "anew/faces" / NAME)
        assert sidecars.read(bucket / NAME) == {**expected, "rating": 5, "source": "me"}

    @pytest.mark.parametrize(
        "now", [{}, {"license": "CC-BY"}, {"content": "new"}, {"of": {"score": 0.1}}]
    )
    def test_keys_of_the_photo_travel_anew(self, bucket, now):
        put(bucket, license="CC0")
        lose(bucket)
        put(bucket, **now)
        assert contents(bucket) == anew(bucket, **now)

    def test_crops_that_nothing_asks_for_go(self, bucket):
        put(bucket)
        sidecars.write(bucket / NAME, sidecars.read(bucket / NAME) | {"rating": 5})
        put(bucket, "photo_01.jpg", settle=False)
        (bucket / "photo_01.jpg").unlink()
        lose(bucket)
        write_atomic(bucket / "mine.jpg", MINE)
        assert ledgers(bucket).commit({}) == [NAME, "photo_01.jpg"]
        assert set(os.listdir(bucket)) == {waiting.FOLDER, "mine.jpg"}
        assert [words.keys for words in waiting.read(bucket)] == [{"rating": 5}]

    @pytest.mark.parametrize(
        "edit",
        [
            lambda path: path.rename(path.with_name("portrait.jpg")),
            lambda path: path.write_bytes(MINE),
            lambda path: Path(f"{path}.json").unlink(),
            lambda path: Path(f"{path}.json").write_text("{"),
            lambda path: (path.unlink(), path.symlink_to("elsewhere")),
            lambda path: (path.unlink(), path.mkdir()),
        ],
        ids=["renamed", "edited", "alone", "broken", "link", "folder"],
    )
    def test_what_does_not_say_so_is_not_ours(self, bucket, edit):
        put(bucket)
        edit(bucket / NAME)
        there = sorted(os.listdir(bucket))
        lose(bucket)
        if "portrait.jpg" in there:
            Path(f"{bucket / NAME}.json").rename(f"{bucket}/portrait.jpg.json")
            there = ["portrait.jpg", "portrait.jpg.json"]
        assert ledgers(bucket).commit({}) == []
        assert sorted(os.listdir(bucket)) == there

    def test_a_crop_that_came_back_is_the_users_where_a_ledger_is(self, bucket):
        put(bucket)
        kept = contents(bucket)
        ledgers(bucket).commit({"s": []})
        for name, content in kept.items():
            write_atomic(bucket / name, content)
        with pytest.raises(ForeignFile):
            put(bucket, content="new", of={"digest": "1" * 32})
        ledgers(bucket).commit({"s": []})
        assert contents(bucket) == kept

    def test_crops_of_another_stage_are_not_ours(self, bucket):
        put(bucket)
        lose(bucket)
        boxes = Ledgers(bucket, bucket.parent / "state", of_boxes(bucket))
        assert boxes.commit({}) == []
        assert (bucket / NAME).exists()


@pytest.mark.parametrize(
    ("name", "image", "ours"),
    [
        ("photo_traffic%20light.jpg", "images/photo.jpg", True),
        ("photo_traffic%20light_07.jpg", "images/photo.jpg", True),
        ("images_photo_traffic%20light.jpg", "images/photo.jpg", True),
        ("images_photo.jpg_traffic%20light.jpg", "images/photo.jpg", True),
        ("photo_light.jpg", "images/photo.jpg", False),
        ("other_traffic%20light.jpg", "images/photo.jpg", False),
        ("traffic%20light.jpg", "images/photo.jpg", False),
    ],
)
def test_a_crop_of_a_box_has_the_names_of_photo_and_class(bucket, name, image, ours):
    write_atomic(bucket / name, b"x")
    sidecars.write(bucket / name, sign({"provenance": BOX | {"image": image}}, b"x"))
    assert [one.row.path for one in of_boxes(bucket).found()] == [name] * ours
    assert [one.image for one in of_boxes(bucket).found()] == [image] * ours


def test_a_first_run_does_not_read_again_what_it_has_written(bucket, monkeypatch):
    read = []

    def digest_of(path):
        read.append(Path(path).name)
        return digest(Path(path).read_bytes())

    monkeypatch.setattr(evidence, "digest_file", digest_of)
    put(bucket, settle=True)
    assert read == []
    lose(bucket)
    put(bucket, "photo_01.jpg")  # what is no longer wanted is known by what it says
    assert read == [NAME]
    assert contents(bucket).keys() == {"photo_01.jpg", "photo_01.jpg.json"}


def test_what_the_user_changed_and_is_put_back_is_listed(bucket):
    names = [f"photo_{i:02d}.jpg" for i in range(6)]

    def run(**how) -> list[str]:
        made = ledgers(bucket)
        entries = []
        for name in names:
            ours = sign({"provenance": FACE, "a": 1}, name.encode())
            key = how.get(name, "key")
            entries.append(Part(made, "s").write(name, key, name.encode, ours)[0])
        restored = made.restored()
        made.commit({"s": entries})
        return restored

    assert run() == run() == []
    (bucket / names[0]).write_bytes(b"edited")
    (bucket / names[1]).unlink()
    sidecars.path_of(bucket / names[2]).unlink()
    sidecars.write(bucket / names[3], sidecars.read(bucket / names[3]) | {"mine": 1})
    (bucket / names[5]).write_bytes(b"edited")
    assert run(**{names[4]: "new", names[5]: "new"}) == [*names[:3], names[5]]
    assert run(**{names[4]: "new", names[5]: "new"}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../secret.jpg"},
        {"file": "noise/../../secret.jpg"},
        {"file": "noise/../labels.csv", "path": "images/labels.csv"},
        {"file": "mine/photo.jpg"},
        {"file": "000/notes.txt"},
        {"file": "000/other.jpg"},
        {"file": "000/photo.png"},
        {"file": 5},
        {"file": None},
        {"digest": None},
        {"digest": "0" * 32},
        {"keys": []},
        {"keys": {"a": 1}},
    ],
)
def test_a_cluster_list_gives_away_no_file_that_is_not_its_images(bucket, change):
    content = b"x"
    listed = {"path": "images/photo.jpg", "file": "000/photo.jpg"}
    listed |= {"digest": digest(content)}
    for forged in ({}, change):
        found = to_json(CLUSTERS | {"noise": [listed | forged]})
        write_atomic(bucket / "clusters.json", found)
        for name in (
            *("000/photo.jpg", "000/other.jpg", "000/photo.png", "000/notes.txt"),
            *("labels.csv", "mine/photo.jpg", "../secret.jpg"),
        ):
            write_atomic(bucket / name, content)
        made = Ledgers(bucket, bucket.parent / "state", ClusterEvidence(bucket))
        assert made.commit({}) == ([] if forged else ["000/photo.jpg"])
    assert (bucket / "../secret.jpg").exists()
