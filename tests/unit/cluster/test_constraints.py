import time

import numpy as np
import pytest

from dtst_flow.cluster.constraints import conflicts, expel, merge, split
from dtst_flow.cluster.groups import Settings, group
from dtst_flow.cluster.meaning import Constraints


def lists(clusters) -> list[list[int]]:
    return [rows.tolist() for rows in clusters]


def on_a_line(*places: float) -> np.ndarray:
    """Unit vectors by their angle."""
    return np.stack([np.cos(places), np.sin(places)], axis=1).astype(np.float32)


class TestSplit:
    vectors = on_a_line(0, 0.1, 0.2, 1.0, 1.1, 1.2, 2.0)

    def test_every_row_goes_with_the_nearer_one(self):
        both = np.arange(6)
        assert lists(split(self.vectors, [both], [(0, 5)])) == [[0, 1, 2], [3, 4, 5]]

    def test_what_is_apart_stays_as_it_is(self):
        clusters = [np.array([0, 1]), np.array([3, 4])]
        assert lists(split(self.vectors, clusters, [(0, 4)])) == [[0, 1], [3, 4]]

    def test_equal_images_can_be_told_apart(self):
        vectors = on_a_line(0, 0, 0, 0)
        assert lists(split(vectors, [np.arange(4)], [(0, 1)])) == [[0, 2, 3], [1]]


class TestMerge:
    def test_clusters_and_noise(self):
        clusters = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
        found, refused = merge(clusters, [(1, 2), (5, 9), (7, 8)], [])
        assert sorted(lists(found)) == [[0, 1, 2, 3], [4, 5, 9], [7, 8]]
        assert refused == []

    def test_what_must_not_be_together_is_not_united(self):
        clusters = [np.array([0, 1]), np.array([2, 3])]
        found, refused = merge(clusters, [(1, 2)], [(0, 3)])
        assert lists(found) == [[0, 1], [2, 3]] and refused == [(1, 2)]


class TestExpel:
    clusters = (np.arange(4), np.array([5, 6]))

    @pytest.mark.parametrize(
        ("alone", "left"),
        [
            ([(1, 0)], [[0, 2, 3], [5, 6]]),
            ([(1, 5), (9, 0), (0, 9)], [[0, 1, 2, 3], [5, 6]]),
            ([(1, 0), (2, 0), (5, 6)], [[0, 3]]),
        ],
    )
    def test_it_takes_nothing_along(self, alone, left):
        assert lists(expel(self.clusters, alone)) == left


def test_conflicts_are_told_with_what_is_against_them():
    cannot = [(7, 8), (0, 3)]
    assert conflicts([(0, 1), (2, 3), (1, 2), (4, 5)], cannot) == {2: 1}


def test_many_contradictions_take_a_second():
    count = 20_000
    must = [(2 * i, 2 * i + 1) for i in range(count)]
    start = time.monotonic()
    found = conflicts(must, must)
    assert found == {i: i for i in range(count)}
    assert time.monotonic() - start < 10  # each compared with all would take minutes


def test_they_hold_whatever_the_algorithm_finds():
    chance = np.random.default_rng(0)
    vectors = np.concatenate(
        [np.eye(32)[axis] + 0.06 * chance.normal(size=(8, 32)) for axis in (0, 1, 2)]
    ).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = Constraints(must=[(0, 8)], cannot=[(16, 17)])
    found = group(vectors, Settings(3, 2), constraints=wanted)
    clusters = {i: k for k, g in enumerate(found.groups) for i in g.members.tolist()}
    assert clusters[0] == clusters[8] == clusters[15]
    assert clusters.get(16, "noise") != clusters.get(17)


@pytest.mark.parametrize("size", [3, 8])
def test_a_part_that_is_too_small_is_no_cluster(size):
    vectors = on_a_line(0, 0.01, 0.02, 0.03, 0.04, 0.3, 0.31, 0.32, 1.5, 1.6, 1.7)
    wanted = Constraints(cannot=[(0, 7)])
    found = group(vectors, Settings(size, 2, same=0.5), constraints=wanted)
    members = [sorted(g.members.tolist()) for g in found.groups]
    assert (list(range(5)) in members) == (size == 3)
    assert all(len(rows) >= size for rows in members)


def plainly(clusters, must, cannot):
    """Merge as it is meant, pair by pair."""
    sets = [set(rows.tolist()) for rows in clusters]
    refused = []
    for a, b in must:
        parts = [s for s in sets if a in s or b in s]
        united = {a, b}.union(*parts)
        if any(x in united and y in united for x, y in cannot):
            refused.append((a, b))
            continue
        sets = [s for s in sets if s not in parts] + [united]
    return [sorted(s) for s in sets], refused


def plainly_split(vectors, clusters, cannot):
    """Split as it is meant, pair by pair."""
    parts = list(clusters)
    for a, b in cannot:
        for place, rows in enumerate(parts):
            if a in rows and b in rows:
                nearer_a = vectors[rows] @ vectors[a] >= vectors[rows] @ vectors[b]
                nearer_a[rows == b] = False
                parts[place : place + 1] = [rows[nearer_a], rows[~nearer_a]]
                break
    return [rows.tolist() for rows in parts]


@pytest.mark.parametrize("seed", range(40))
def test_any_pairs_give_what_they_give_one_by_one(seed):
    chance = np.random.default_rng(seed)
    rows = chance.permutation(24)
    cuts = np.sort(chance.choice(np.arange(1, 20), 4, replace=False))
    clusters = [np.sort(part) for part in np.split(rows[:20], cuts)]  # 4 rows are noise
    must, cannot = (
        [tuple(chance.choice(24, 2, replace=False).tolist()) for _ in range(count)]
        for count in chance.integers(0, 14, 2)
    )
    found, refused = merge(clusters, must, cannot)
    assert ([part.tolist() for part in found], refused) == plainly(
        clusters, must, cannot
    )
    vectors = chance.normal(size=(24, 5)).astype(np.float32)
    expected = plainly_split(vectors, clusters, cannot)
    assert [part.tolist() for part in split(vectors, clusters, cannot)] == expected


def test_many_pairs_take_seconds():
    rows = np.arange(20_000)
    clusters = np.split(rows, 1000)
    chance = np.random.default_rng(0)
    pairs = [tuple(pair) for pair in chance.integers(0, 20_000, (50_000, 2)).tolist()]
    begun = time.monotonic()
    apart = split(np.ones((20_000, 2), np.float32), clusters, pairs)
    merge(apart, pairs, pairs)
    assert time.monotonic() - begun < 20
