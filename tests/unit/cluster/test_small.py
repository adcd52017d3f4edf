import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.cluster import hdbscan
from dtst_flow.cluster.groups import Settings, default_min_samples, group
from dtst_flow.cluster.small import STANDING_OUT, distinct


def on_a_circle(*degrees: float) -> np.ndarray:
    """Unit vectors by their angle."""
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def kept(vectors: np.ndarray, *clusters: list[int]) -> list[list[int]]:
    rows = [np.array(cluster) for cluster in clusters]
    found = distinct(rows, hdbscan.cluster(vectors, 2, 1))
    return [cluster.tolist() for cluster in found]


@pytest.mark.parametrize(("third", "stands_out"), [(30, True), (22, True), (21, False)])
def test_a_pair_stands_out_from_all_others(third, stands_out):
    """10 degrees are 0.8 of the cosine distance of 11.2."""
    vectors = on_a_circle(0, 10, third, 90)
    assert kept(vectors, [0, 1]) == ([[0, 1]] if stands_out else [])


@pytest.mark.parametrize(("size", "stands_out"), [(3, False), (4, True), (5, True)])
def test_larger_clusters_need_less(size, stands_out):
    """They hang together at 10 degrees, and the next is at 10.3: 0.94 of the distance."""
    vectors = on_a_circle(*range(0, 10 * size, 10), 10 * size + 0.3, 180)
    found = kept(vectors, list(range(size)))
    assert bool(found) is stands_out


def test_what_is_all_there_is_stays():
    assert kept(on_a_circle(0, 10), [0, 1]) == [[0, 1]]
    assert kept(on_a_circle(0, 10, 20), [0, 1, 2]) == [[0, 1, 2]]


@given(st.integers(0, 99))
def test_it_is_the_ratio_of_the_distances(seed):
    vectors = np.random.default_rng(seed).normal(size=(30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = 1 - vectors.astype(float) @ vectors.T
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    for a, b in enumerate(nearest.tolist()):
        if a < b and nearest[b] == a:
            third = np.delete(apart[[a, b]], [a, b], axis=1).min()
            stands_out = apart[a, b] <= STANDING_OUT[2] * third
            assert bool(kept(vectors, [a, b])) == stands_out


def test_people_with_two_photos_are_found_and_chance_pairs_are_not():
    """2 photos each of 40 people, among 300 strangers of whom some are close by chance."""
    chance = np.random.default_rng(0)
    people = np.repeat(chance.normal(size=(40, 200)), 2, axis=0)
    vectors = np.concatenate([people, chance.normal(size=(300, 200))])
    vectors[:80] += 0.8 * chance.normal(size=(80, 200))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    found = group(vectors, Settings(2, default_min_samples(2), max_distance=0.6))
    pairs = [sorted(g.members.tolist()) for g in found.groups]
    wrong = [rows for rows in pairs if rows[0] // 2 != rows[-1] // 2 or rows[-1] >= 80]
    assert len(pairs) - len(wrong) >= 38 and len(wrong) <= 1


def test_a_pair_needs_no_second_neighbour():
    assert [default_min_samples(size) for size in (2, 3, 5, 50)] == [1, 2, 2, 2]
    assert default_min_samples(2, faces=False) == 2
