"""Keys that a user added to a sidecar: they stay with what they were said of."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from PIL import Image

from dtst_flow.dataset import sidecars, subjects, waiting
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.provenance import sign
from dtst_flow.stages.crops import of_faces
from dtst_flow.stages.telling import of_files
from helpers.evidence import FACE
from helpers.killed import Killed, killed_after

A, B = "a" * 32, "b" * 32
FIRST, SECOND = [0, 0, 9, 9], [20, 0, 29, 9]


@pytest.fixture
def bucket(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("faces")


def ledgers(bucket: Path) -> Ledgers:
    return Ledgers(bucket, "state", of_faces(bucket))


def put(bucket: Path, name: str, digest=A, box=FIRST, crop=b"crop", **keys) -> Entry:
    """Write a crop of a face as a new process would."""
    image = f"images/{name.rpartition('_')[0]}.jpg"
    said = FACE | {"image": image, "digest": digest, "box": box}
    ours = sign({**keys, "provenance": said, "metrics": {"size": 9}}, crop)
    key, shows = f"{name} {ours}", subjects.of_box(digest, box)
    part = Part(ledgers(bucket), "s")
    return part.write(name, key, lambda: crop, ours, shows)[0]


def settle(bucket: Path, *entries: Entry) -> list[str]:
    return ledgers(bucket).commit({"s": list(entries)})


def say(bucket: Path, name: str, **keys) -> None:
    sidecars.write(bucket / name, sidecars.read(bucket / name) | keys)


def said(bucket: Path, name: str) -> dict:
    """What the sidecar of a file holds besides what dtst always writes."""
    present = sidecars.read(bucket / name)
    return {k: v for k, v in present.items() if k not in ("provenance", "metrics")}


def waits(bucket: Path) -> list[tuple[str, dict]]:
    return [(words.was, words.keys) for words in waiting.read(bucket)]


def names(bucket: Path) -> list[str]:
    return sorted(path.name for path in bucket.iterdir())


def test_they_move_along_with_a_renamed_photo(bucket):
    settle(bucket, put(bucket, "x_00.jpg", license="CC0"))
    say(bucket, "x_00.jpg", rating=5, license="mine")
    moved = put(bucket, "y_00.jpg", license="CC0")
    assert settle(bucket, moved) == ["x_00.jpg"]
    assert said(bucket, "y_00.jpg") == {"rating": 5, "license": "mine"}
    assert names(bucket) == ["y_00.jpg", "y_00.jpg.json"]
    assert ledgers(bucket).damaged_parts() == []
    # The table of the job does not know of the keys; the ledger does.
    settle(bucket, moved)
    assert ledgers(bucket).damaged_parts() == []
    assert said(bucket, "y_00.jpg") == {"rating": 5, "license": "mine"}


def test_they_go_to_a_file_of_a_part_that_stays_the_same(bucket):
    lost = put(bucket, "x_00.jpg")
    twin = put(bucket, "y_00.jpg")
    other = put(bucket, "z_00.jpg", B)
    ledgers(bucket).commit({"s0": [lost], "s1": [twin], "s2": [other]})
    say(bucket, "x_00.jpg", rating=5)
    ledgers(bucket).commit({"s0": []}, same=["s1", "s2"])
    assert said(bucket, "y_00.jpg") == {"rating": 5} and waits(bucket) == []
    assert ledgers(bucket).paths() == {"y_00.jpg", "z_00.jpg"}
    assert ledgers(bucket).damaged_parts() == []


def test_they_wait_while_the_face_is_away_and_come_back_with_it(bucket):
    settle(bucket, put(bucket, "x_00.jpg"))
    say(bucket, "x_00.jpg", rating=5, metrics={"size": 9, "mood": "glad"})
    settle(bucket)
    assert names(bucket) == [waiting.FOLDER]
    assert waits(bucket) == [("x_00.jpg", {"rating": 5, "metrics": {"mood": "glad"}})]
    (told,) = of_files(str(bucket), [], [])
    assert "1 file" in told and "faces/.waiting" in told and "'x_00.jpg'" in told
    settle(bucket, put(bucket, "y_00.jpg", B))
    assert len(waits(bucket)) == 1 and said(bucket, "y_00.jpg") == {}
    entries = put(bucket, "y_00.jpg", B), put(bucket, "z_00.jpg", A, [0, 0, 9, 8])
    settle(bucket, *entries)
    assert waits(bucket) == [] and waiting.FOLDER not in names(bucket)
    assert said(bucket, "z_00.jpg") == {"rating": 5}
    mood = sidecars.read(bucket / "z_00.jpg")["metrics"]
    assert mood == {"size": 9, "mood": "glad"}
    assert of_files(str(bucket), [], []) == []


@pytest.mark.parametrize("lost", [False, True])
def test_they_do_not_pass_to_another_face_that_takes_the_name(bucket, lost):
    settle(bucket, put(bucket, "x_00.jpg"))
    say(bucket, "x_00.jpg", rating=5)
    if lost:
        shutil.rmtree("state")
    settle(bucket, put(bucket, "x_00.jpg", B, crop=b"other"))
    assert said(bucket, "x_00.jpg") == {}
    assert waits(bucket) == [("x_00.jpg", {"rating": 5})]
    assert ledgers(bucket).damaged_parts() == []


def test_two_faces_that_change_places_keep_theirs(bucket):
    settle(bucket, put(bucket, "x_00.jpg"), put(bucket, "x_01.jpg", box=SECOND))
    say(bucket, "x_00.jpg", of="first")
    say(bucket, "x_01.jpg", of="second")
    entries = put(bucket, "x_00.jpg", box=SECOND), put(bucket, "x_01.jpg")
    assert settle(bucket, *entries) == []
    assert said(bucket, "x_00.jpg") == {"of": "second"}
    assert said(bucket, "x_01.jpg") == {"of": "first"}
    assert ledgers(bucket).damaged_parts() == [] and waits(bucket) == []


def test_what_the_user_said_later_stays_and_the_other_waits(bucket):
    settle(bucket, put(bucket, "x_00.jpg"))
    say(bucket, "x_00.jpg", rating=5, mood="glad")
    settle(bucket)
    entry = put(bucket, "x_00.jpg")
    say(bucket, "x_00.jpg", rating=1)
    settle(bucket, entry)
    assert said(bucket, "x_00.jpg") == {"rating": 1, "mood": "glad"}
    assert waits(bucket) == [("x_00.jpg", {"rating": 5})]
    # As the sidecar was edited since the job wrote it, the next run looks at it.
    assert ledgers(bucket).damaged_parts() == ["s"]


def test_a_sidecar_replaced_as_a_whole_is_known_by_the_ledger(bucket):
    settle(bucket, put(bucket, "x_00.jpg"))
    sidecars.write(bucket / "x_00.jpg", {"rating": 5})
    settle(bucket, put(bucket, "y_00.jpg"))
    assert said(bucket, "y_00.jpg") == {"rating": 5}


def jpeg(path: Path, turn: int, quality: int) -> bytes:
    """A picture of its own for each turn."""
    chance = np.random.default_rng(turn).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(chance).resize((64, 64)).save(path, quality=quality)
    return path.read_bytes()


def test_of_a_photo_saved_anew_under_its_name_they_stay(bucket, tmp_path):
    first = jpeg(tmp_path / "1.jpg", 1, 95)
    settle(bucket, put(bucket, "x_00.jpg", A, crop=first))
    say(bucket, "x_00.jpg", rating=5)
    again = jpeg(tmp_path / "2.jpg", 1, 60)
    settle(bucket, put(bucket, "x_00.jpg", B, [1, 1, 8, 8], again))
    assert said(bucket, "x_00.jpg") == {"rating": 5} and waits(bucket) == []
    other = jpeg(tmp_path / "3.jpg", 2, 95)
    settle(bucket, put(bucket, "x_00.jpg", A, crop=other))
    assert said(bucket, "x_00.jpg") == {} and len(waits(bucket)) == 1


def test_nothing_is_kept_outside_of_the_bucket(bucket, tmp_path):
    settle(bucket, put(bucket, "x_00.jpg"))
    say(bucket, "x_00.jpg", rating=5)
    (tmp_path / "outside").mkdir()
    stranger = tmp_path / "outside/1.json"
    stranger.write_text('{"was": "x", "shows": "y", "keys": {}}')
    (bucket / waiting.FOLDER).symlink_to(tmp_path / "outside")
    settle(bucket, put(bucket, "x_00.jpg", B))
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["1.json"]
    assert waits(bucket) == [] and said(bucket, "x_00.jpg") == {"rating": 5}


def test_a_file_of_the_user_in_place_of_the_folder_stays(bucket):
    settle(bucket, put(bucket, "x_00.jpg"))
    say(bucket, "x_00.jpg", rating=5)
    (bucket / waiting.FOLDER).write_text("mine")
    settle(bucket)
    assert (bucket / waiting.FOLDER).read_text() == "mine"
    assert said(bucket, "x_00.jpg") == {"rating": 5}


def test_odd_names_and_values_wait_as_they_are(bucket):
    name = "\udce9\n_00.jpg"
    settle(bucket, put(bucket, name))
    sidecar = sidecars.path_of(bucket / name)
    odd = '"mine": [1.50, NaN, "\\udce9"], "ü": 1e400}'
    sidecar.write_text(f"{sidecar.read_text().rstrip()[:-1]}, {odd}")
    settle(bucket)
    ((was, keys),) = waits(bucket)
    assert was == name and keys.keys() == {"mine", "ü"}
    settle(bucket, put(bucket, "y_00.jpg"))
    there = sidecars.path_of(bucket / "y_00.jpg").read_text()
    assert "1.50" in there and "NaN" in there and "1e400" in there
    assert waits(bucket) == [] and ledgers(bucket).damaged_parts() == []


def test_what_is_not_as_dtst_writes_it_is_passed_over(bucket):
    folder = bucket / waiting.FOLDER
    folder.mkdir(parents=True)
    for i, text in enumerate(
        ("{", "[]", "{}", '{"was": "x", "shows": "y", "keys": 1}')
    ):
        (folder / f"{i}.json").write_text(text)
    settle(bucket, put(bucket, "x_00.jpg"))
    assert waits(bucket) == [] and len(names(folder)) == 4


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, A, True),
        (A, B, False),
        ("", "", False),
        (A, subjects.of_box(A, FIRST), False),
        (subjects.of_box(A, FIRST), subjects.of_box(A, [0, 0, 9, 6]), True),
        (subjects.of_box(A, FIRST), subjects.of_box(A, SECOND), False),
        (subjects.of_box(A, FIRST), subjects.of_box(B, FIRST), False),
        (subjects.of_box(A, FIRST, "red"), subjects.of_box(A, FIRST, "dog"), False),
        (subjects.of_box(A, FIRST), f"{A} x y z", False),
        (f"{A} frame 1", subjects.of_provenance({"digest": A, "frame": 1}), True),
        (f"{A} frame 1", f"{A} frame 2", False),
    ],
)
def test_subjects(one, other, same):
    assert bool(subjects.likeness(one, other)) is same
    assert bool(subjects.likeness(other, one)) is same


@pytest.mark.parametrize(
    "said",
    [None, {}, {"digest": A}, {"digest": "x", "box": FIRST}, FACE | {"box": [1]}],
)
def test_a_provenance_that_tells_of_no_subject(said):
    assert subjects.of_provenance(said) == ""


class Histories(RuleBasedStateMachine):
    """Faces come, go and change names, runs are killed, and a user says something of some.

    words  what was said and not said anew of the same crop: (subject, key, value); where
           a killed run had begun to move it, it waits besides
    """

    NAMES = ("x_00.jpg", "x_01.jpg", "y_00.jpg")
    FACES = ((A, FIRST), (A, [0, 0, 9, 8]), (A, SECOND), (B, FIRST))
    names = st.sampled_from(NAMES)

    def __init__(self):
        super().__init__()
        self.before, self.folder = Path.cwd(), Path(mkdtemp())
        os.chdir(self.folder)
        self.bucket = Path("faces")
        self.wanted: dict[str, tuple[str, list[int]]] = {}
        self.words: set[tuple[str, str, str]] = set()
        self.edits = 0

    def teardown(self):
        self.run_through()
        os.chdir(self.before)
        shutil.rmtree(self.folder)

    @rule(name=names, face=st.sampled_from(FACES))
    def want(self, name, face):
        self.wanted[name] = face

    @rule(name=names)
    def want_no_more(self, name):
        self.wanted.pop(name, None)

    @rule(name=names, key=st.sampled_from(["rating", "license"]))
    def say(self, name, key):
        present = sidecars.read(self.bucket / name)
        shows = subjects.of_provenance(present.get("provenance"))
        if not shows:
            return
        self.edits += 1
        moved = [words.keys.get(key) for words in waiting.read(self.bucket)]
        if present.get(key) not in moved:
            self.words -= {
                word for word in self.words if word[1:] == (key, present.get(key))
            }
        self.words.add((shows, key, f"mine {self.edits}"))
        say(self.bucket, name, **{key: f"mine {self.edits}"})

    def run(self) -> None:
        entries = [
            put(self.bucket, name, *face, crop=face[0].encode(), license="ours")
            for name, face in sorted(self.wanted.items())
        ]
        settle(self.bucket, *entries)

    @rule(steps=st.integers(0, 12), half=st.booleans())
    def run_killed(self, steps, half):
        with killed_after(steps, half), suppress(Killed):
            self.run()

    @rule()
    def lose_the_state(self):
        self.run_through()
        shutil.rmtree("state", ignore_errors=True)

    @rule()
    def run_through(self):
        self.run()
        self.run()
        assert ledgers(self.bucket).damaged_parts() == []
        there = [(words.shows, words.keys) for words in waiting.read(self.bucket)]
        for name in self.NAMES:
            present = sidecars.read(self.bucket / name)
            assert bool(present) is (name in self.wanted)
            if present:
                keys = {k: present[k] for k in ("rating", "license") if k in present}
                there.append((subjects.of_provenance(present["provenance"]), keys))
        found = [(s, k, v) for s, keys in there for k, v in keys.items() if v != "ours"]
        assert len(found) == len(self.words), (found, self.words)
        for shows, key, value in found:
            (said,) = (word for word in self.words if word[1:] == (key, value))
            assert subjects.likeness(said[0], shows), (found, self.words)


Histories.TestCase.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None
)
TestHistories = Histories.TestCase
