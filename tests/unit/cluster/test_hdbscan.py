"""Our HDBSCAN beside the package hdbscan: the same labels and the same tree, always.

Both run in one process, as hdbscan's labels depend on the processor wherever weights are
equal. Its algorithm is given by name, as up to 60 dimensions it would take another one,
which is approximate.
"""

import subprocess
import sys

import numpy as np
import pytest
from hdbscan import HDBSCAN
from hypothesis import given, settings
from hypothesis import strategies as st

from dtst_flow.cluster import hdbscan
from dtst_flow.cluster.hdbscan import mst, parallel, sweep
from dtst_flow.cluster.hdbscan.distances import HOST
from dtst_flow.cluster.hdbscan.rows import sort_out
from dtst_flow.cluster.hdbscan.tree import select, single_linkage
from helpers.dataset import environment


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def around(centres: np.ndarray, size: int, spread: float, rng) -> np.ndarray:
    """Rows that lie about some of the centres, drawn anew for each."""
    chosen = centres[rng.integers(0, len(centres), size)]
    return chosen + spread * rng.normal(size=chosen.shape)


def people(size, rng):
    """Groups, and one row in five that belongs to none."""
    alone = size // 5
    centres = rng.normal(size=(max(1, size // 20), 64))
    grouped = around(centres, size - alone, 0.7, rng)
    return np.concatenate([grouped, rng.normal(size=(alone, 64))])


def fragments(size, rng):
    """Tight groups far apart, so that nearest neighbours alone connect nothing."""
    return around(rng.normal(size=(max(1, size // 40), 64)), size, 0.05, rng)


def bursts(size, rng):
    """Rows so near to each other that float32 products cannot tell them apart."""
    spread = 10.0 ** -rng.integers(2, 8)
    return around(rng.normal(size=(max(1, size // 60), 80)), size, spread, rng)


def copies(size, rng):
    """Equal rows, in groups of very different sizes."""
    centres = rng.normal(size=(max(1, size // 9), 16))
    return centres[(len(centres) * rng.random(size) ** 2).astype(int)]


def grid(size, rng):
    """Equal distances between different rows all over."""
    return rng.integers(0, 3, (size, 4)) + 1e-9


def sphere(size, rng):
    """Nothing stands out, in so few dimensions that neighbours are mutual."""
    return rng.normal(size=(size, 3))


def axes(size, rng):
    """All different rows equally far from each other."""
    return np.eye(max(1, size // 3))[rng.integers(0, max(1, size // 3), size)]


KINDS = (people, fragments, bursts, copies, grid, sphere, axes)


def theirs(vectors: np.ndarray, min_cluster_size, min_samples, method, single):
    model = HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        cluster_selection_method=method,
        allow_single_cluster=single is not None,
        cluster_selection_epsilon=single or 0.0,
        algorithm="prims_kdtree",
        core_dist_n_jobs=1,
    )
    return model.fit(vectors.astype(np.float64))


@pytest.mark.filterwarnings("ignore:divide by zero")
class TestTheSameAsHdbscan:
    @settings(max_examples=300)
    @given(
        kind=st.sampled_from(KINDS),
        size=st.integers(2, 400),
        seed=st.integers(0, 2**32),
        min_cluster_size=st.integers(2, 12),
        min_samples=st.integers(1, 6),
        method=st.sampled_from(["eom", "leaf"]),
        single=st.none() | st.floats(0, 1.2),
        neighbours=st.sampled_from([1, 2, 8, 32]),
        block=st.sampled_from([7, 64, 1024]),
    )
    def test_labels_and_tree(
        self,
        kind,
        size,
        seed,
        min_cluster_size,
        min_samples,
        method,
        single,
        neighbours,
        block,
    ):
        vectors = unit(kind(size, np.random.default_rng(seed)))
        arrays = HOST._replace(block=block)
        steps = mst.minimum_spanning_tree(
            sort_out(vectors), min_samples, arrays, neighbours
        )
        linkage = single_linkage(steps)
        wanted = theirs(vectors, min_cluster_size, min_samples, method, single)
        np.testing.assert_array_equal(linkage, wanted.single_linkage_tree_.to_numpy())
        found = select(linkage, min_cluster_size, method, single)
        assert found.tolist() == wanted.labels_.tolist()
        few = hdbscan.cluster(vectors, min_cluster_size, min_samples)
        np.testing.assert_array_equal(few.linkage, linkage)

    @pytest.mark.parametrize("method", ["eom", "leaf"])
    @pytest.mark.parametrize("single", [None, 0.0, 0.9])
    def test_through_the_front_door(self, method, single):
        vectors = unit(people(1500, np.random.default_rng(1)))
        found = hdbscan.cluster(vectors, 5, 2, method, single)
        wanted = theirs(vectors, 5, 2, method, single)
        assert found.labels.tolist() == wanted.labels_.tolist()

    @pytest.mark.parametrize("kind", KINDS)
    def test_when_edges_found_are_taken_in_at_once(self, kind, monkeypatch):
        monkeypatch.setattr(sweep, "FOLD", -(10**6))
        self.same_tree(kind)

    @pytest.mark.parametrize("kind", KINDS)
    def test_when_too_many_are_equal(self, kind, monkeypatch):
        monkeypatch.setattr(sweep, "FOLD", -(10**6))
        monkeypatch.setattr(sweep, "TIES", 0)
        self.same_tree(kind)

    def same_tree(self, kind):
        vectors = unit(kind(300, np.random.default_rng(2)))
        steps = mst.minimum_spanning_tree(sort_out(vectors), 2, neighbours=4)
        wanted = theirs(vectors, 5, 2, "eom", None).single_linkage_tree_.to_numpy()
        np.testing.assert_array_equal(single_linkage(steps), wanted)

    def test_whatever_the_number_of_threads(self, monkeypatch):
        vectors = unit(people(3000, np.random.default_rng(3)))
        wanted = hdbscan.cluster(vectors, 5, 2)
        for count in (1, 3):
            monkeypatch.setattr(parallel, "blas_threads", lambda count=count: count)
            found = hdbscan.cluster(vectors, 5, 2)
            np.testing.assert_array_equal(found.labels, wanted.labels)
            np.testing.assert_array_equal(found.linkage, wanted.linkage)

    def test_few_rows_wait_for_no_compiler(self):
        look = (
            "import sys, numpy\n"
            "from dtst_flow.cluster import groups, hdbscan, history\n"
            "hdbscan.cluster(numpy.eye(hdbscan.all_pairs.FEW), 5, 2)\n"
            "assert not {'numba', 'scipy', 'sklearn'} & sys.modules.keys()"
        )
        subprocess.run([sys.executable, "-c", look], env=environment(), check=True)

    @pytest.mark.torch
    def test_products_by_torch(self):
        pytest.importorskip("torch")
        from dtst_flow.cluster.hdbscan.distances import torch_arrays

        rows = sort_out(unit(people(700, np.random.default_rng(4))))
        np.testing.assert_array_equal(
            mst.minimum_spanning_tree(rows, 2, torch_arrays("cpu", 256)),
            mst.minimum_spanning_tree(rows, 2),
        )


class TestClustering:
    @pytest.mark.parametrize("size", range(7))
    def test_few(self, size):
        found = hdbscan.cluster(np.eye(8, dtype=np.float32)[:size], 5, 2)
        assert found.labels.tolist() == [-1] * size
        assert found.usable.tolist() == list(range(size))
        assert found.linkage.shape == (max(0, size - 1), 4)
        assert found.clusters == []

    def test_nothing_at_all(self):
        found = hdbscan.cluster(np.empty((0, 0), np.float32), 5, 2)
        assert len(found.labels) == len(found.usable) == len(found.unusable) == 0

    @pytest.mark.parametrize("size", [2, 5, 100])
    def test_all_equal(self, size):
        vectors = np.ones((size, 16), np.float32)
        found = hdbscan.cluster(vectors, 2, 3, single=0.1)
        assert found.labels.tolist() == [0] * size
        assert found.linkage[:, 2].tolist() == [0] * (size - 1)

    def test_what_has_no_direction_is_noise(self):
        vectors = unit(people(200, np.random.default_rng(5)))
        spoiled = {3: 0, 50: np.nan, 51: np.inf, 199: -np.inf}
        for row, value in spoiled.items():
            vectors[row] = value
        found = hdbscan.cluster(vectors, 5, 2)
        assert found.unusable.tolist() == list(spoiled)
        assert found.usable.tolist() == [i for i in range(200) if i not in spoiled]
        wanted = theirs(vectors[found.usable], 5, 2, "eom", None).labels_
        assert found.labels[found.usable].tolist() == wanted.tolist()
        assert found.labels[found.unusable].tolist() == [-1] * 4

    def test_nothing_but_that(self):
        found = hdbscan.cluster(np.zeros((6, 4), np.float32), 2, 2)
        assert found.labels.tolist() == [-1] * 6 and len(found.unusable) == 6

    def test_lengths_do_not_matter(self):
        rng = np.random.default_rng(6)
        vectors = unit(people(300, rng)).astype(np.float64)
        scaled = vectors * 10.0 ** rng.integers(-20, 20, (300, 1))
        found = hdbscan.cluster(scaled, 5, 2)
        assert found.labels.tolist() == hdbscan.cluster(vectors, 5, 2).labels.tolist()

    def test_clusters_are_the_rows_of_labels(self):
        vectors = unit(people(300, np.random.default_rng(7)))
        found = hdbscan.cluster(vectors, 5, 2)
        assert len(found.clusters) > 3
        for label, rows in enumerate(found.clusters):
            assert (found.labels[rows] == label).all()
        assert sum(map(len, found.clusters)) == (found.labels >= 0).sum()

    @pytest.mark.parametrize(("min_cluster_size", "min_samples"), [(1, 2), (2, 0)])
    def test_sizes_that_make_no_sense(self, min_cluster_size, min_samples):
        with pytest.raises(ValueError, match="at least"):
            hdbscan.cluster(np.eye(3), min_cluster_size, min_samples)
