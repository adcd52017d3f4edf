import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster

from dtst_flow.cluster import hdbscan
from dtst_flow.cluster.groups import Settings, group
from dtst_flow.cluster.max_distance import cut, split_far


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def person(axis: int, size: int, spread: float = 0.08) -> np.ndarray:
    """Photos of one person, about 0.2 apart."""
    noise = np.random.default_rng(axis).normal(size=(size, 64))
    return unit(np.eye(64)[axis] + spread * noise)


def herd(size: int) -> np.ndarray:
    """Strangers who are a bit more alike than others: about 0.75 apart."""
    noise = np.random.default_rng(99).normal(size=(size, 64))
    return unit(0.6 * np.eye(64)[60] + 0.13 * noise)


def rows_of(clusters) -> list[list[int]]:
    return sorted(rows.tolist() for rows in clusters)


def test_strangers_are_no_cluster():
    vectors = np.concatenate([person(0, 12), person(1, 12), herd(8)])
    found = group(vectors, Settings(5, 2))
    assert len(found.groups) == 3 and found.groups[2].members.min() >= 24
    found = group(vectors, Settings(5, 2, max_distance=0.5))
    assert [len(g.members) for g in found.groups] == [12, 12]
    assert found.noise.tolist() == list(range(24, 32))


def test_a_ceiling_above_everything_changes_nothing():
    vectors = np.concatenate([person(0, 12), person(1, 12), herd(8)])
    found = hdbscan.cluster(vectors, 5, 2)
    clusters = split_far(vectors, found, 2.0, 5)
    assert rows_of(clusters) == rows_of(found.clusters)


def test_what_is_near_the_centre_stays_though_no_single_row_is_near():
    """Each of the far ones is turned away from the person in a direction of its own."""
    far = unit(0.72 * np.eye(64)[0] + 0.69 * np.eye(64)[[10, 11]])
    vectors = np.concatenate([person(0, 12, spread=0.04), far, person(1, 12)])
    found = hdbscan.Clustering(
        labels=np.array([0] * 14 + [1] * 12),
        usable=np.arange(26),
        unusable=np.empty(0, int),
        linkage=hdbscan.cluster(vectors, 5, 2).linkage,
    )
    tight = split_far(vectors, found, 0.25, 5)
    assert rows_of(tight) == [list(range(12)), list(range(14, 26))]
    assert rows_of(split_far(vectors, found, 0.3, 5))[0] == list(range(14))


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_few_rows(rows):
    found = group(person(0, rows), Settings(5, 2, max_distance=0.1))
    assert found.groups == [] and len(found.noise) == rows


@given(st.integers(0, 50), st.floats(0.05, 1.5))
def test_parts_hang_together_below_the_ceiling(seed, ceiling):
    """No cluster grows, none is smaller than asked for, and rows are in one at most."""
    chance = np.random.default_rng(seed)
    vectors = unit(chance.normal(size=(40, 3)))
    found = hdbscan.cluster(vectors, 4, 2)
    clusters = split_far(vectors, found, ceiling, 4)
    for rows in clusters:
        assert len(rows) >= 4
        assert len(set(found.labels[rows])) == 1 and found.labels[rows[0]] >= 0
    together = np.concatenate(clusters) if clusters else []
    assert len(together) == len(set(together))


@given(size=st.integers(2, 40), seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_parts_are_those_of_scipy(size, seed, share):
    vectors = np.random.default_rng(seed).integers(-1, 2, (size, 4)) + 0.1
    linkage = hdbscan.cluster(vectors, 2, 1).linkage
    height = np.quantile(linkage[:, 2], share, method="nearest")
    parts = cut(linkage, height)
    theirs = fcluster(linkage, height, "distance")
    pairs = set(zip(parts.tolist(), theirs.tolist(), strict=True))
    assert len(pairs) == len(set(parts.tolist())) == len(set(theirs.tolist()))
