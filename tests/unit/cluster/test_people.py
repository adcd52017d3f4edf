import numpy as np

from dtst_flow.cluster.groups import Group, Settings, group
from dtst_flow.cluster.meaning import Constraints
from dtst_flow.cluster.people import People, names_of

SETTINGS = Settings(4, 2, same=0.4, max_distance=0.6, near=0.4, alike=0.02)


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def person(axis: int, size: int, seed: int = 0) -> np.ndarray:
    """Photos of one person, about 0.2 apart."""
    noise = np.random.default_rng((axis, seed)).normal(size=(size, 64))
    return unit(np.eye(64)[axis] + 0.06 * noise)


def known(*axes: int) -> People:
    """Two photos of each person, who is called by the axis."""
    vectors = np.concatenate([person(axis, 2, seed=1) for axis in axes])
    return People([str(axis) for axis in axes for _ in range(2)], vectors)


def named(groups: list[Group]) -> dict[str | None, list[int]]:
    return {g.name: sorted(g.members.tolist()) for g in groups}


def test_a_cluster_of_somebody_known_has_a_name():
    vectors = np.concatenate([person(0, 6), person(1, 7), person(2, 5)])
    found = group(vectors, SETTINGS, people=known(0, 2, 9))
    assert named(found.groups) == {
        None: list(range(6, 13)),
        "0": list(range(6)),
        "2": list(range(13, 18)),
    }
    assert [len(g.members) for g in found.groups] == [7, 6, 5]


def test_few_photos_of_somebody_known_are_enough():
    vectors = np.concatenate([person(0, 6), person(1, 2), person(2, 1), person(3, 1)])
    found = group(vectors, SETTINGS, people=known(1, 2))
    assert named(found.groups) == {
        None: list(range(6)),
        "1": [6, 7],
        "2": [8],
    }
    assert found.noise.tolist() == [9]
    assert len(group(vectors, SETTINGS).groups) <= 1


def test_clusters_of_one_person_are_one():
    """Halves that are too far apart are both near to somebody who looks like both."""
    half, other = np.eye(64)[0], np.eye(64)[1]
    vectors = np.concatenate([person(0, 6), person(1, 6)])
    assert len(group(vectors, SETTINGS).groups) == 2
    both = ((half + other) / np.sqrt(2)).astype(np.float32)[None]
    found = group(vectors, SETTINGS, people=People(["Ann"], both))
    assert named(found.groups) == {"Ann": list(range(12))}


def test_different_people_stay_apart_however_alike():
    vectors = np.concatenate([person(0, 8), person(1, 8)])
    twins = People(["Ann", "Bob"], np.concatenate([person(0, 1, 1), person(0, 1, 2)]))
    found = group(vectors, SETTINGS, people=twins)
    assert [g.name for g in found.groups].count(None) == 1
    assert len(found.groups) == 2


def test_of_one_photo_the_face_that_is_more_like_it_is_the_persons():
    """The sibling is near to the centre of the known faces, but not to the other face."""
    chance = np.random.default_rng(0)
    ann = unit(np.eye(64)[0] + 0.1 * chance.normal(size=(5, 64)))
    sibling = unit([np.eye(64)[0] + np.eye(64)[1]])
    vectors = np.concatenate([sibling, ann[:1], person(5, 6)])
    people = People(["Ann"] * 4, ann[1:])
    found = group(vectors, SETTINGS, people=people)
    assert named(found.groups)["Ann"] == [0, 1]
    photos = np.array([0, 0, 1, 2, 3, 4, 5, 6])
    found = group(vectors, SETTINGS, photos=photos, people=people)
    assert named(found.groups)["Ann"] == [1] and found.noise.tolist() == [0]


def test_the_users_links_hold():
    vectors = np.concatenate([person(0, 6), person(1, 6)])
    wanted = Constraints(must=[(0, 6)])
    found = group(vectors, SETTINGS, constraints=wanted, people=known(0, 1))
    assert named(found.groups) == {"0": list(range(12))}
    wanted = Constraints(cannot=[(0, 1)])
    found = group(vectors[:6], SETTINGS, constraints=wanted, people=known(0))
    together = [set(g.members.tolist()) for g in found.groups]
    assert not any({0, 1} <= rows for rows in together)
    assert [g.name for g in found.groups].count("0") == 1


def test_who_is_not_a_known_person_is_alone():
    vectors = np.concatenate([person(0, 6), person(1, 6)])
    for wanted in (Constraints(unlike=[(2, "0")]), Constraints(alone=[(2, 0)])):
        found = group(vectors, SETTINGS, constraints=wanted, people=known(0, 1))
        assert named(found.groups) == {"0": [0, 1, 3, 4, 5], "1": list(range(6, 12))}
        assert found.noise.tolist() == [2]


def test_nobody_is_there():
    found = group(person(0, 6), SETTINGS, people=known(3))
    assert named(found.groups) == {None: list(range(6))}
    empty = np.empty((0, 64), np.float32)
    assert group(empty, SETTINGS, people=known(3)).groups == []


def test_a_model_that_knows_no_sameness_attracts_nothing():
    vectors = np.concatenate([person(0, 6), person(1, 6)])
    found = group(vectors, Settings(4, 2), people=known(0))
    assert [g.name for g in found.groups] == [None, None]


def test_a_person_names_the_cluster_with_most_known_faces():
    people = {"Ann": np.array([7, 8, 9]), "Bob": np.array([10])}
    clusters = [np.array([0, 7]), np.array([1, 8, 9]), np.array([2, 10]), np.array([3])]
    assert names_of(clusters, people) == [None, "Ann", "Bob", None]
    assert names_of([np.array([0, 7, 10])], people) == ["Ann"]
    assert names_of([], people) == []
