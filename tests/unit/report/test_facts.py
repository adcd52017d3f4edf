"""The report's facts, beside plain loops that say the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.report import facts
from dtst_flow.report.facts import Facts, Near


def cosine_distance(a: np.ndarray, b: np.ndarray) -> float:
    return 1 - float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))


def centre(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.mean([vectors[i] / np.linalg.norm(vectors[i]) for i in rows], axis=0)


@st.composite
def clusterings(draw) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Random vectors, their groups and the rows in none."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    sizes = draw(st.lists(st.integers(2, 9), min_size=1, max_size=6))
    noise = draw(st.integers(0, 5))
    order = rng.permutation(sum(sizes) + noise)
    *groups, rest = np.split(order, np.cumsum(sizes))
    return rng.normal(size=(len(order), 5)).astype(np.float32), groups, rest


@given(clusterings())
def test_nearest_clusters_are_those_of_a_plain_loop(clustering):
    vectors, groups, noise = clustering
    found = Facts(vectors, groups)
    centres = [centre(vectors, rows) for rows in groups]
    for row, near in zip(noise, found.closest(noise), strict=True):
        distances = [cosine_distance(vectors[row], c) for c in centres]
        assert near.distance == pytest.approx(min(distances), abs=1e-6)
        assert distances[near.cluster] == pytest.approx(min(distances), abs=1e-6)
    for i, near in enumerate(found.neighbours):
        others = [
            cosine_distance(centres[i], c) for j, c in enumerate(centres) if j != i
        ]
        assert (near is None) is (others == [])
        if near:
            assert near.cluster != i
            assert near.distance == pytest.approx(min(others), abs=1e-6)


@given(clusterings())
def test_doubtful_are_the_members_of_least_margin(clustering):
    vectors, groups, _ = clustering
    found = Facts(vectors, groups)
    centres = [centre(vectors, rows) for rows in groups]
    for i, rows in enumerate(groups):
        doubts = found.doubts(i)
        assert sorted(doubt.row for doubt in doubts) == sorted(rows)
        margins = []
        for doubt in doubts:
            distances = [cosine_distance(vectors[doubt.row], c) for c in centres]
            own = distances.pop(i)
            assert doubt.own == pytest.approx(own, abs=1e-6)
            margins.append(min(distances) - own if distances else -own)
        assert margins == pytest.approx(sorted(margins), abs=1e-6)


@given(clusterings())
def test_pairs_are_the_close_ones_and_in_order(clustering):
    vectors, groups, _ = clustering
    found = Facts(vectors, groups)
    centres = [centre(vectors, rows) for rows in groups]
    spreads = [
        np.mean([cosine_distance(vectors[i], c) for i in rows])
        for rows, c in zip(groups, centres, strict=True)
    ]
    for pair in found.pairs():
        i, j = pair.clusters
        assert i < j
        between = cosine_distance(centres[i], centres[j])
        assert pair.distance == pytest.approx(between, abs=1e-6)
        assert pair.distance <= 2 * min(spreads[i], spreads[j]) + 1e-6
    distances = [pair.distance for pair in found.pairs()]
    assert distances == sorted(distances)
    assert len({pair.clusters for pair in found.pairs()}) == len(distances)


def halves(turn: float) -> Facts:
    """Two clusters of the same spread whose centres lie `turn` apart, and a far one."""
    spread = 0.3

    def around(angle: float) -> list[list[float]]:
        return [
            [np.cos(angle), np.sin(angle), z]
            for z in (-spread, -spread, spread, spread)
        ]

    vectors = np.array([*around(0), *around(turn), *around(np.pi)])
    return Facts(vectors, list(np.arange(12).reshape(3, 4)))


def test_one_group_split_in_two_is_perhaps_the_same():
    (pair,) = halves(0.2).pairs()
    assert pair.clusters == (0, 1)
    assert halves(1.0).pairs() == []


def test_what_has_no_direction_is_near_to_nothing():
    vectors = np.array([[1, 0], [1, 0.1], [0, 0], [np.nan, 1], [0, 1]])
    found = Facts(vectors, [np.array([0, 1])])
    nowhere, broken, somewhere = found.closest(np.array([2, 3, 4]))
    assert nowhere is None and broken is None and somewhere.cluster == 0


def test_blocks_leave_no_trace(monkeypatch):
    rng = np.random.default_rng(0)
    rows, centres = facts.unit(rng.normal(size=(20, 4))), facts.unit(np.eye(4))
    own = rng.integers(0, 4, 20)
    whole = facts.nearest(rows, centres, own)
    monkeypatch.setattr(facts, "BLOCK", 3)
    assert [n.cluster for n in facts.nearest(rows, centres, own)] == [
        n.cluster for n in whole
    ]


def test_without_clusters_or_images_there_is_nothing_to_say():
    empty = Facts(np.empty((0, 0), np.float32), [])
    assert empty.pairs() == [] and empty.neighbours == []
    noise = Facts(np.eye(3), [])
    assert noise.closest(np.arange(3)) == [None] * 3
    single = Facts(np.eye(3), [np.arange(3)])
    assert single.neighbours == [None] and not single.same(0)
    assert single.closest(np.array([0])) == [Near(0, pytest.approx(1 - 3**-0.5))]
