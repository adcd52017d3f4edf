import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtst_flow.cluster import groups as grouping
from dtst_flow.cluster.groups import Group, Settings

SAME = 0.4
"""A cosine distance that the blobs below stay within and strangers never come near."""


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def blob(size: int, axis: int, seed: int = 0, spread: float = 0.06) -> np.ndarray:
    """Images of one identity: about 0.13 apart."""
    noise = np.random.default_rng((seed, axis)).normal(size=(size, 32))
    return unit(np.eye(32)[axis] + spread * noise)


def strangers(size: int, seed: int = 0) -> np.ndarray:
    """Images with hardly anything in common, all at right angles."""
    return unit(np.linalg.qr(np.random.default_rng(seed).normal(size=(32, 32)))[0])[
        :size
    ]


def group(vectors, *words, **more) -> tuple[list[Group], np.ndarray]:
    """The groups and the noise."""
    found = grouping.group(vectors, Settings(*words, **more))
    return found.groups, found.noise


def members(groups: list[Group]) -> list[list[int]]:
    return [sorted(g.members.tolist()) for g in groups]


class TestGroups:
    def test_blobs_apart_the_largest_first(self):
        vectors = np.concatenate([blob(6, 0), blob(14, 1), blob(9, 2)])
        groups, noise = group(vectors, 5, 2)
        assert members(groups) == [
            list(range(6, 20)),
            list(range(20, 29)),
            list(range(6)),
        ]
        assert noise.tolist() == []

    def test_equal_sizes_go_by_their_medoids_row(self):
        vectors = np.concatenate([blob(8, 0), blob(8, 1), blob(8, 2)])
        order = np.random.default_rng(3).permutation(24)
        groups, _ = group(vectors[order], 5, 2)
        medoids = [g.members[0] for g in groups]
        assert len(medoids) == 3 and medoids == sorted(medoids)

    def test_strangers_among_them_are_noise(self):
        vectors = np.concatenate([strangers(3), blob(12, 0), blob(9, 1)])
        groups, noise = group(vectors, 5, 2)
        assert noise.tolist() == [0, 1, 2]
        assert members(groups) == [list(range(3, 15)), list(range(15, 24))]

    @settings(max_examples=20, deadline=None)
    @given(
        sizes=st.lists(st.integers(0, 12), max_size=4),
        lone=st.integers(0, 4),
        seed=st.integers(0, 99),
    )
    def test_every_row_is_in_one_group_or_noise(self, sizes, lone, seed):
        vectors = np.concatenate(
            [strangers(lone, seed), *(blob(n, i, seed) for i, n in enumerate(sizes))]
        )
        groups, noise = group(vectors, 5, 2, SAME)
        rows = [row for g in groups for row in g.members] + noise.tolist()
        assert sorted(rows) == list(range(len(vectors)))
        assert noise.tolist() == sorted(noise)
        lengths = [len(g.members) for g in groups]
        assert lengths == sorted(lengths, reverse=True)
        assert all(length >= 5 for length in lengths)

    @settings(max_examples=10, deadline=None)
    @given(seed=st.integers(0, 1000))
    def test_the_order_of_rows_only_renames_them(self, seed):
        vectors = np.concatenate([strangers(2), blob(7, 0), blob(11, 1), blob(9, 2)])
        order = np.random.default_rng(seed).permutation(len(vectors))
        groups, noise = group(vectors, 5, 2)
        turned, turned_noise = group(vectors[order], 5, 2)
        assert members(turned) == [
            sorted(np.flatnonzero(np.isin(order, g.members)).tolist()) for g in groups
        ]
        for g, t in zip(groups, turned, strict=True):
            assert order[t.members].tolist() == g.members.tolist()
            np.testing.assert_allclose(t.distances, g.distances, atol=1e-9)
        assert sorted(order[turned_noise]) == noise.tolist()


class TestMedoid:
    def test_it_comes_first_then_the_others_by_distance(self):
        vectors = np.concatenate([blob(9, 0), blob(12, 1)])
        for g in group(vectors, 5, 2)[0]:
            rows = vectors[g.members].astype(np.float64)
            between = 1 - rows @ rows.T
            assert between.sum(axis=1).argmin() == 0
            assert g.distances[0] == 0
            np.testing.assert_allclose(g.distances[1:], between[0, 1:], atol=1e-9)
            assert (np.diff(g.distances) >= -1e-9).all() and (g.distances >= 0).all()

    def test_equal_images_go_by_row(self):
        twin = blob(1, 0)
        vectors = np.concatenate([twin, blob(8, 1), twin, twin, twin, twin])
        groups, _ = group(vectors, 5, 2)
        [twins] = [g for g in groups if len(g.members) == 5]
        assert twins.members.tolist() == [0, 9, 10, 11, 12]
        assert twins.distances.tolist() == [0] * 5


class TestSingleIdentity:
    @pytest.mark.parametrize("size", [5, 6, 12, 60])
    def test_it_is_one_group_when_told_what_is_the_same(self, size):
        vectors = blob(size, 0)
        groups, noise = group(vectors, 5, 2)
        assert groups == [] and noise.tolist() == list(range(size))
        groups, noise = group(vectors, 5, 2, SAME)
        assert members(groups) == [list(range(size))] and len(noise) == 0

    def test_strangers_stay_out_of_it(self):
        vectors = np.concatenate([strangers(3), blob(20, 0)])
        groups, noise = group(vectors, 5, 2, SAME)
        assert members(groups) == [list(range(3, 23))]
        assert noise.tolist() == [0, 1, 2]

    def test_strangers_alone_are_none(self):
        groups, noise = group(strangers(20), 5, 2, SAME)
        assert groups == [] and len(noise) == 20

    def test_a_chain_of_neighbours_is_none(self):
        turns = np.linspace(0, np.pi, 50)
        vectors = unit(np.stack([np.cos(turns), np.sin(turns)], axis=1))
        # Half of it is not enough for a cluster, so that all would have to be one.
        groups, noise = group(vectors, 30, 2, same=0.1)
        assert groups == [] and len(noise) == 50
        assert len(group(vectors, 30, 2, same=0.5)[0]) == 1

    def test_two_identities_are_found_all_the_same(self):
        vectors = np.concatenate([blob(8, 0), blob(9, 1)])
        groups, _ = group(vectors, 5, 2, SAME)
        assert members(groups) == [list(range(8, 17)), list(range(8))]

    @pytest.mark.parametrize("size", [2, 5, 30])
    def test_equal_vectors(self, size):
        vectors = np.repeat(blob(1, 0), size, axis=0)
        assert group(vectors, min(size, 5), 2)[0] == []
        groups, _ = group(vectors, min(size, 5), 2, SAME)
        assert members(groups) == [list(range(size))]
        assert groups[0].distances.tolist() == [0] * size


class TestFew:
    @pytest.mark.parametrize("same", [None, SAME])
    @pytest.mark.parametrize("size", [0, 1, 2, 4])
    def test_fewer_than_a_cluster_needs_are_noise(self, size, same):
        groups, noise = group(blob(size, 0), 5, 2, same)
        assert groups == [] and noise.tolist() == list(range(size))
        assert noise.dtype.kind == "i"

    def test_nothing_at_all(self):
        groups, noise = group(np.empty((0, 0), np.float32), 5, 2, SAME)
        assert groups == [] and len(noise) == 0

    def test_two_alike_may_be_a_cluster(self):
        assert members(group(blob(2, 0), 2, 2, SAME)[0]) == [[0, 1]]
        assert group(strangers(2), 2, 2, SAME)[0] == []

    @pytest.mark.parametrize("min_samples", [1, 5, 50])
    def test_more_neighbours_wanted_than_there_are(self, min_samples):
        vectors = np.concatenate([blob(5, 0), blob(5, 1)])
        groups, noise = group(vectors, 5, min_samples, SAME)
        assert sum(len(g.members) for g in groups) + len(noise) == 10


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_noise(bad):
    vectors = np.concatenate([blob(8, 0), blob(9, 1)])
    vectors[[3, 12], 0] = bad
    groups, noise = group(vectors, 5, 2)
    assert noise.tolist() == [3, 12]
    assert [len(g.members) for g in groups] == [8, 7]
    assert all(np.isfinite(g.distances).all() for g in groups)
