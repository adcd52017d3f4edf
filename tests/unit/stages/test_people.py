import numpy as np

from dtst_flow.stages.people import NOBODY, KnownPeople, set_apart


def row(path: str, stem: str, aligned: str = "detected") -> dict:
    return {"path": path, "stem": stem, "aligned": aligned}


ROWS = [
    row("faces/a.jpg", "a", "stored"),
    row("people.jpg", "people", "stored"),
    row("people/Ann Lee/a.jpg", "Ann Lee_a"),
    row("people/Ann Lee/b.jpg", "b", "centre"),
    row("people/Bob.jpg", "Bob"),
]
VECTORS = np.eye(5, dtype=np.float32)
REACH = 0.5


def test_photos_of_known_people_are_set_apart():
    """A photo may be named itself."""
    for folder in ("people", "people/"):
        rows, vectors, people = set_apart(ROWS, VECTORS, folder, REACH)
        assert [r["path"] for r in rows] == ["faces/a.jpg", "people.jpg"]
        assert [r["stem"] for r in rows] == ["a", "people"]
        assert vectors.tolist() == VECTORS[:2].tolist()
        assert people.names == ["Ann Lee", "Bob"]
        assert people.vectors is not None
        assert people.vectors.tolist() == VECTORS[[2, 4]].tolist()
        assert people.faceless == ["people/Ann Lee/b.jpg"]


def test_of_a_person_those_count_who_are_most():
    rows = [row(f"people/Ann/{i}.jpg", str(i)) for i in range(4)]
    vectors = np.eye(5, dtype=np.float32)[[0, 1, 1, 1]]
    _, _, people = set_apart(rows, vectors, "people", REACH)
    assert people.names == ["Ann"] * 3 and people.unlike == ["people/Ann/0.jpg"]
    _, _, people = set_apart(rows[:2], vectors[:2], "people", REACH)
    assert people.names == ["Ann"] and people.unlike == ["people/Ann/1.jpg"]


def test_without_a_folder_all_is_as_it_was():
    rows, vectors, people = set_apart(ROWS, VECTORS, None, REACH)
    assert rows is ROWS and vectors is VECTORS and people is NOBODY
    assert people.sentences([]) == []


def test_nothing_was_embedded():
    rows, vectors, people = set_apart([], np.empty((0, 0), np.float32), "people", REACH)
    assert rows == [] and len(vectors) == 0 and people.names == []


def test_what_is_told_of_them():
    people = KnownPeople(["Ann", "Ann", "Bob"], None, ["people/Ann/b.jpg"], ["x", "y"])
    assert people.sentences(["Ann"]) == [
        "1 of 2 known people found among the images (--people)",
        "1 photo of known people without a face that could be found, first "
        "people/Ann/b.jpg",
        "2 photos of known people with a face unlike that of the person's others, first x",
    ]
    assert KnownPeople(["Ann"]).sentences([])[0].startswith("0 of 1 known person ")
