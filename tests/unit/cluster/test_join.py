import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dtst_flow.cluster import join as joining
from dtst_flow.cluster.join import join


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def person(axis: int, size: int) -> np.ndarray:
    """Photos of one person, about 0.2 apart."""
    noise = np.random.default_rng(axis).normal(size=(size, 64))
    return unit(np.eye(64)[axis] + 0.06 * noise)


def rows_of(clusters) -> list[list[int]]:
    return sorted(rows.tolist() for rows in clusters)


def test_halves_of_a_person_are_joined_and_people_are_not():
    vectors = np.concatenate([person(0, 6), person(1, 6)])
    halves = [np.arange(start, start + 3) for start in range(0, 12, 3)]
    assert rows_of(join(vectors, halves, 0.5)) == [list(range(6)), list(range(6, 12))]
    assert rows_of(join(vectors, halves, 0.01)) == rows_of(halves)


def test_nothing_to_join():
    assert join(person(0, 3), [], 0.5) == []
    assert rows_of(join(person(0, 3), [np.arange(3)], 0.5)) == [[0, 1, 2]]


@given(st.integers(0, 200), st.floats(0.1, 1.2), st.sampled_from([1, 3, 4096]))
def test_it_is_average_linkage(seed, reach, block):
    """Of clusters of one row each, SciPy makes the same."""
    vectors = unit(np.random.default_rng(seed).normal(size=(25, 6)))
    before, joining.BLOCK = joining.BLOCK, block
    try:
        found = join(vectors, [np.array([row]) for row in range(25)], reach)
    finally:
        joining.BLOCK = before
    apart = 1 - vectors.astype(float) @ vectors.T
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    labels = fcluster(tree, reach, "distance")
    assert rows_of(found) == sorted(
        np.flatnonzero(labels == label).tolist() for label in np.unique(labels)
    )
