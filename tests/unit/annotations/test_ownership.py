"""Detection's entries in sidecars that are the user's."""

import errno
import os
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.annotations import ownership
from dtst_flow.annotations.ownership import Ownership
from dtst_flow.annotations.visited import Visited
from dtst_flow.dataset import sidecars
from dtst_flow.runtime.failures import cause_of

RED = [{"score": 0.9, "box": [1.0, 2.0, 3.0, 4.0]}]
BLUE = [{"score": 0.4, "box": [5.0, 6.0, 7.0, 8.0]}]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ours() -> Ownership:
    return Ownership("notes", Visited("looked"))


def classes() -> dict:
    return sidecars.read("a.jpg").get("classes")


def everything(name: str) -> bool:
    return True


def test_another_class_is_added_and_the_first_kept(ours):
    ours.put("a.jpg", "v1", {"red": RED})
    ours.put("a.jpg", "v1", {"blue": BLUE, "green": []})
    assert classes() == {"red": RED, "blue": BLUE, "green": []}
    assert list(classes()) == ["blue", "green", "red"]


def test_the_same_class_is_replaced(ours):
    ours.put("a.jpg", "v1", {"red": RED})
    ours.put("a.jpg", "v1", {"red": BLUE})
    assert classes() == {"red": BLUE}


def test_another_spelling_is_the_same_class(ours):
    ours.put("a.jpg", "v1", {"Red": RED, "blue": BLUE})
    ours.put("a.jpg", "v1", {"red": RED})
    assert classes() == {"blue": BLUE, "red": RED}
    both = {"red": RED, "RED": RED}
    ours.put("a.jpg", "v1", both)
    assert classes() == {"blue": BLUE} | both


def test_what_was_found_in_another_photo_goes(ours):
    ours.put("a.jpg", "v1", {"red": RED, "blue": BLUE})
    ours.put("a.jpg", "v2", {"red": []})
    assert classes() == {"red": []}


def test_the_users_classes_stay_and_are_told(ours):
    sidecars.write("a.jpg", {"license": "CC0", "classes": {"red": BLUE, "odd": 3}})
    assert ours.put("a.jpg", "v1", {"red": RED, "blue": BLUE}) == ["red"]
    assert classes() == {"red": BLUE, "odd": 3, "blue": BLUE}
    assert ours.put("a.jpg", "v2", {"red": RED}) == ["red"]
    assert ours.clear("a.jpg", everything) == []
    assert sidecars.read("a.jpg") == {
        "license": "CC0",
        "classes": {"red": BLUE, "odd": 3},
    }


def test_a_class_of_the_users_without_a_value_stays(ours):
    sidecars.write("a.jpg", {"classes": {"red": None, "blue": None}})
    assert ours.put("a.jpg", "v1", {"blue": BLUE}) == ["blue"]
    assert ours.clear("a.jpg", everything) == []
    assert classes() == {"red": None, "blue": None}


def test_an_edited_class_is_the_users(ours):
    ours.put("a.jpg", "v1", {"red": RED, "blue": BLUE})
    sidecars.write("a.jpg", {"classes": {"red": [], "blue": BLUE}})
    assert ours.put("a.jpg", "v1", {"red": RED, "blue": []}) == ["red"]
    assert classes() == {"red": [], "blue": []}


def test_a_deleted_class_is_written_again(ours):
    ours.put("a.jpg", "v1", {"red": RED, "blue": BLUE})
    sidecars.write("a.jpg", {"classes": {"blue": BLUE}})
    assert ours.put("a.jpg", "v1", {"red": RED}) == []
    assert classes() == {"red": RED, "blue": BLUE}


def test_clearing_one_class_leaves_the_others(ours):
    ours.put("a.jpg", "v1", {"red": RED, "blue": BLUE})
    assert ours.classes("a.jpg") == ["blue", "red"]
    assert ours.clear("a.jpg", lambda name: name == "red") == ["red"]
    assert classes() == {"blue": BLUE}
    assert ours.clear("a.jpg", everything) == ["blue"]
    assert not os.path.exists("a.jpg.json")
    assert ours.classes("a.jpg") == [] == ours.clear("a.jpg", everything)


@pytest.mark.parametrize(
    "before",
    [
        *("{}", '{"classes": {}}', '{"classes": {"x": []}}', '{"n":1e400}\n'),
        '{\r\n\t"a": 0.10, "classes" : { "x":[] }\r\n}',
    ],
)
def test_clearing_leaves_what_was_there_to_the_byte(ours, before):
    with open("a.jpg.json", "w", newline="") as file:
        file.write(before)
    ours.put("a.jpg", "v1", {"red": RED})
    ours.put("a.jpg", "v1", {"red": [], "blue": BLUE})
    ours.clear("a.jpg", everything)
    assert sidecars.path_of("a.jpg").read_bytes() == before.encode()


def test_ours_are_known_again_when_the_notes_are_lost(ours):
    ours.put("a.jpg", "v1", {"red": RED, "green": []})
    anew = Ownership("others", Visited("looked"))
    assert anew.put("a.jpg", "v1", {"red": RED, "green": []}) == []
    assert anew.put("a.jpg", "v1", {"red": [], "green": BLUE}) == []
    assert classes() == {"red": [], "green": BLUE}


@pytest.mark.parametrize("users", [{}, {"license": "CC0"}])
def test_nothing_of_ours_is_left_when_the_notes_were_lost(ours, users):
    if users:
        sidecars.write("a.jpg", users)
    ours.put("a.jpg", "v1", {"red": RED, "green": []})
    anew = Ownership("others", Visited("looked"))
    anew.put("a.jpg", "v1", {"red": RED, "green": []})
    anew.clear("a.jpg", everything)
    assert sidecars.read("a.jpg") == users
    assert sidecars.path_of("a.jpg").exists() is bool(users)


def test_nothing_is_written_when_nothing_changes(ours):
    ours.put("a.jpg", "v1", {"red": RED})
    files = [sidecars.path_of("a.jpg"), *here_files()]
    before = [os.stat(path).st_mtime_ns for path in files]
    ours.put("a.jpg", "v1", {"red": RED})
    assert [os.stat(path).st_mtime_ns for path in files] == before


def here_files() -> list[str]:
    return [f"{folder}/{n}" for folder, _, names in os.walk("notes") for n in names]


@pytest.mark.parametrize("content", ["{", "[]", '{"classes": [1]}'])
def test_a_broken_sidecar_is_named_and_left_as_it_is(ours, content):
    with open("a.jpg.json", "w") as file:
        file.write(content)
    with pytest.raises(sidecars.BrokenSidecar, match=r"a\.jpg\.json"):
        ours.put("a.jpg", "v1", {"red": RED})
    assert sidecars.path_of("a.jpg").read_text() == content


@pytest.mark.parametrize("killed_at", ["before", "after"])
def test_a_kill_around_writing_leaves_nothing_unknown(ours, monkeypatch, killed_at):
    ours.put("a.jpg", "v1", {"red": RED, "blue": BLUE})
    write = sidecars.write

    def killed(*words, **more):
        if killed_at == "after":
            write(*words, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ownership.sidecars, "write", killed)
        ours.put("a.jpg", "v2", {"red": BLUE})
    # Blue was found in the first photo; it must not pass for found in the second. Nor
    # must red, old or new, pass for the user's when another model finds another.
    other = [{"score": 0.7, "box": [9.0, 9.0, 10.0, 10.0]}]
    assert ours.put("a.jpg", "v2", {"red": other}) == []
    assert classes() == {"red": other}
    ours.clear("a.jpg", everything)
    assert not os.path.exists("a.jpg.json")


names = st.sampled_from(["red", "Red", "blue", "ü", "provenance"])
lists = st.sampled_from([[], RED, BLUE])
found = st.dictionaries(names, lists, min_size=1)
users = st.dictionaries(
    st.sampled_from(["license", "classes", "provenance", "metrics"]),
    st.integers() | st.text(max_size=3),
).flatmap(
    lambda keys: st.dictionaries(names, st.text("xy", min_size=1, max_size=2)).map(
        lambda own: {**keys, "classes": own}
    )
)


@given(users, st.lists(st.tuples(st.sampled_from(["v1", "v2"]), found), max_size=5))
def test_no_key_of_the_user_is_ever_lost(tmp_path_factory, sidecar, runs):
    folder = tmp_path_factory.mktemp("any")
    photo = "a.jpg"
    with chdir(folder):
        ours = Ownership("notes", Visited("."))
        sidecars.write(photo, sidecar)
        for image, boxes in runs:
            left = ours.put(photo, image, boxes)
            content = sidecars.read(photo)
            assert left == sorted(boxes.keys() & sidecar["classes"].keys())
            assert content["classes"] == content["classes"] | sidecar["classes"]
            assert content | {"classes": 0} == sidecar | {"classes": 0}
        ours.clear(photo, everything)
        assert sidecars.read(photo) == sidecar


@pytest.mark.parametrize("known", [False, True])
def test_a_sidecar_that_moved_along_with_its_photo_is_known(known):
    """By what was looked at before, `known`; else it passes for the user's."""
    Visited("looked").commit([("a.jpg", "v1")] if known else [])
    Ownership("notes", Visited("looked")).put("a.jpg", "v1", {"red": RED, "blue": BLUE})
    edited = sidecars.read("a.jpg") | {"license": "CC0"}
    edited["classes"]["blue"] = []
    sidecars.write("b.jpg", edited)
    os.remove("a.jpg.json")
    after = Ownership("notes", Visited("looked"))
    assert after.put("b.jpg", "v1", {"red": BLUE, "blue": BLUE}) == (
        ["blue"] if known else ["blue", "red"]
    )
    red = BLUE if known else RED
    assert sidecars.read("b.jpg") == {
        "license": "CC0",
        "classes": {"blue": [], "red": red},
    }
    assert after.clear("b.jpg", everything, "v1") == (["red"] if known else [])


def moved_away(*names: str) -> Ownership:
    """What is known in the run after one of a.jpg, whose sidecar now has other names."""
    Visited("looked").commit([("a.jpg", "v1")])
    Ownership("notes", Visited("looked")).put("a.jpg", "v1", {"red": RED})
    for name in names:
        sidecars.write(name, sidecars.read("a.jpg"))
    os.remove("a.jpg.json")
    return Ownership("notes", Visited("looked"))


@pytest.mark.parametrize("classes", [{"red": RED}, {}], ids=["equal", "none"])
def test_what_moved_along_stays_known_in_runs_to_come(classes):
    moved_away("b.jpg").put("b.jpg", "v1", classes)
    # The old path is forgotten once a run has come to its end.
    Ownership("notes", Visited("looked")).clear("a.jpg", everything)
    after = Ownership("notes", Visited("anew"))
    assert after.put("b.jpg", "v2", {"red": BLUE}) == []
    assert sidecars.read("b.jpg") == {"classes": {"red": BLUE}}
    assert after.clear("b.jpg", everything) == ["red"]
    assert not os.path.exists("b.jpg.json")


@pytest.mark.parametrize("other", [False, True], ids=["alone", "as another photo"])
def test_what_moved_along_with_a_photo_that_was_replaced_goes(other):
    """Another photo of the same new content says nothing of it."""
    after = moved_away("b.jpg")
    if other:
        Visited("looked").commit([("a.jpg", "v1"), ("c.jpg", "v2")])
        after = Ownership("notes", Visited("looked"))
        after.put("c.jpg", "v2", {})
    sidecars.write("b.jpg", sidecars.read("b.jpg") | {"license": "CC0"})
    assert after.put("b.jpg", "v2", {"blue": BLUE}) == []
    assert sidecars.read("b.jpg") == {"license": "CC0", "classes": {"blue": BLUE}}


def test_what_lies_beside_its_photo_is_not_taken_for_moved():
    Visited("looked").commit([("a.jpg", "v1")])
    Ownership("notes", Visited("looked")).put("a.jpg", "v1", {"red": RED})
    sidecars.write("b.jpg", sidecars.read("a.jpg"))
    after = Ownership("notes", Visited("looked"))
    assert after.put("b.jpg", "v2", {"red": BLUE}) == ["red"]


def test_what_moved_along_stays_known_where_another_class_was_cleared():
    assert moved_away("b.jpg").clear("b.jpg", lambda name: name == "x", "v1") == []
    after = Ownership("notes", Visited("anew"))
    assert after.clear("b.jpg", everything, "v1") == ["red"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_is_not_to_be_written_into_costs_its_photos(
    ours, monkeypatch, number
):
    def write(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ownership.sidecars, "write", write)
    with pytest.raises(sidecars.BrokenSidecar, match="must be writable") as caught:
        ours.put("a.jpg", "v1", {"red": []})
    assert cause_of(caught.value) == {"cause": None, "found": None}  # tried again


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"5", b"[1]", b'{"a": 1}', b"[" * 10**5),
        b'{"image": [], "made": 3, "classes": {"red": 5}}',
    ],
)
def test_a_note_that_is_none_is_as_good_as_lost(ours, garbage):
    ours.put("a.jpg", "v1", {"red": RED})
    (note,) = (path for path in Path("notes").rglob("*") if path.is_file())
    note.write_bytes(garbage)
    assert ours.put("a.jpg", "v1", {"red": RED}) == []
    assert ours.clear("a.jpg", everything, "v1") == ["red"]
