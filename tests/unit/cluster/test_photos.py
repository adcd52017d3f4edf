import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.cluster.groups import Settings, group
from dtst_flow.cluster.meaning import Constraints
from dtst_flow.cluster.photos import Evidence, split

EVIDENCE = Evidence(alike=0.05, same=0.3, near=0.4)
SETTINGS = Settings(3, 2, 0.3, 0.6, 0.4, 0.05)


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def person(axis: int, size: int, like: int | None = None) -> np.ndarray:
    """Photos of one person, about 0.2 apart; 0.6 or more from a sibling's."""
    noise = np.random.default_rng(axis).normal(size=(size, 64))
    mean = np.eye(64)[axis] + (0 if like is None else 0.6 * np.eye(64)[like])
    return unit(unit([mean]) + 0.06 * noise)


def divided(vectors, photos) -> list[list[int]]:
    parts = split(vectors, [np.arange(len(vectors))], np.array(photos), EVIDENCE)
    return sorted(part.tolist() for part in parts)


def test_a_stranger_leaves_the_cluster_of_somebody_in_the_same_photo():
    vectors = np.concatenate([person(0, 6), person(1, 1)])
    assert divided(vectors, [0, 1, 2, 3, 4, 5, 5]) == [[0, 1, 2, 3, 4, 5], [6]]


def test_two_people_in_one_cluster_are_told_apart_by_one_photo():
    vectors = np.concatenate([person(0, 6), person(1, 6, like=0)])
    photos = [0, 1, 2, 3, 4, 5, 0, 6, 7, 8, 9, 10]
    assert divided(vectors, photos) == [list(range(6)), list(range(6, 12))]


def test_of_photos_that_are_not_known_nothing_is_known():
    vectors = np.concatenate([person(0, 6), person(1, 1)])
    assert divided(vectors, [-1] * 7) == [list(range(7))]
    assert divided(vectors, range(7)) == [list(range(7))]


def test_the_same_picture_twice_and_a_collage_stay():
    same = np.concatenate([person(0, 1), person(0, 1)])
    assert divided(same, [0, 0]) == [[0, 1]]
    collage = person(0, 8)
    assert divided(collage, [0, 0, 0, 1, 2, 3, 4, 5]) == [list(range(8))]


def test_a_collage_alone_has_no_evidence():
    assert divided(person(0, 2), [0, 0]) == [[0], [1]]


def test_a_crowd_in_one_photo_is_no_cluster():
    assert divided(person(0, 50), [0] * 50) == [[row] for row in range(50)]


@given(st.integers(0, 200), st.integers(1, 12))
def test_every_row_is_in_one_part(seed, photos):
    chance = np.random.default_rng(seed)
    vectors = unit(chance.normal(size=(40, 3)))
    clusters = [np.arange(0, 40, 2), np.arange(1, 40, 2)]
    of = chance.integers(-1, photos, 40)
    parts = split(vectors, clusters, of, EVIDENCE)
    assert sorted(np.concatenate(parts).tolist()) == list(range(40))
    assert all(len(part) and len(set(part % 2)) == 1 for part in parts)


@given(st.integers(0, 200), st.integers(2, 20))
def test_faces_of_a_photo_are_together_with_evidence_only(seed, faces):
    vectors = unit(np.random.default_rng(seed).normal(size=(40, 3)))
    photos = np.where(np.arange(40) < faces, 0, -1)
    apart = 1 - vectors @ vectors.T
    for part in split(vectors, [np.arange(40)], photos, EVIDENCE):
        together = part[photos[part] == 0]
        from_one = apart[np.ix_(together, together)].max(axis=0)
        assert not len(together) or from_one.min() <= EVIDENCE.near


@pytest.mark.parametrize("photos", [None, [*range(12), 11]])
def test_in_a_grouping(photos):
    vectors = np.concatenate([person(0, 6), person(1, 6), person(2, 1, like=1)])
    of = None if photos is None else np.array(photos)
    found = group(vectors, SETTINGS, photos=of)
    assert found.noise.tolist() == ([] if photos is None else [12])


def test_the_users_must_link_wins():
    vectors = np.concatenate([person(0, 6), person(1, 6), person(2, 1, like=1)])
    wanted = Constraints(must=[(11, 12)])
    found = group(vectors, SETTINGS, None, wanted, np.array([*range(12), 11]))
    assert len(found.noise) == 0
    assert 12 in found.groups[0].members and found.refused == []
