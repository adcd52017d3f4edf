"""Each part of our HDBSCAN beside a naive statement of what it computes."""

import sys
import threading

import numpy as np
import pytest
from hdbscan._hdbscan_linkage import mst_linkage_core_vector
from hdbscan.dist_metrics import DistanceMetric
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from threadpoolctl import threadpool_info

from dtst_flow.cluster.hdbscan import distances, parallel
from dtst_flow.cluster.hdbscan.distances import (
    HOST,
    NEVER,
    close_pairs,
    error,
    euclidean,
    mutual_reachability,
)
from dtst_flow.cluster.hdbscan.mst import prim
from dtst_flow.cluster.hdbscan.neighbours import certified, core_distances, nearest
from dtst_flow.cluster.hdbscan.parallel import in_threads
from dtst_flow.cluster.hdbscan.rows import sort_out
from dtst_flow.cluster.hdbscan.spanning import Edges, Forest, RangeMaximum, highest_open
from dtst_flow.cluster.hdbscan.sweep import connect, sweep

SEEDS = st.integers(0, 2**32)
EUCLIDEAN = DistanceMetric.get_metric("euclidean")


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def some(size: int, seed: int, dimensions: int = 24, spread: float = 0.4):
    """Unit vectors about a few centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(1 + size // 12, dimensions))
    chosen = centres[rng.integers(0, len(centres), size)]
    return unit(chosen + spread * rng.normal(size=chosen.shape))


def all_distances(vectors: np.ndarray) -> np.ndarray:
    return EUCLIDEAN.pairwise(vectors.astype(np.float64))


def naive_core(distances: np.ndarray, min_samples: int) -> np.ndarray:
    """Of every row the (min_samples + 1)-th smallest distance: it is its own first."""
    return np.sort(distances, axis=1)[:, min_samples].copy()


def naive_bottlenecks(n: int, edges: Edges) -> np.ndarray:
    """(n, n) float64: the least of the largest weights, over all paths."""
    reach = np.full((n, n), np.inf)
    for i, j, weight in zip(edges.i, edges.j, edges.weight, strict=True):
        reach[i, j] = reach[j, i] = min(reach[i, j], weight)
    for k in range(n):
        reach = np.minimum(reach, np.maximum(reach[:, k, None], reach[k]))
    return reach


def random_edges(n: int, count: int, rng) -> Edges:
    """Edges of few different weights, so that many are equal."""
    i, j = rng.integers(0, n, (2, count))
    i, j = i[i != j], j[i != j]
    return Edges(i, j, rng.integers(0, 8, len(i)).astype(float))


def every_edge(weights: np.ndarray) -> Edges:
    i, j = np.triu_indices(len(weights), 1)
    return Edges(i, j, weights[i, j])


class TestRows:
    def test_what_has_no_direction_is_set_aside(self):
        vectors = np.eye(6, dtype=np.float32)
        vectors[1], vectors[3, 3], vectors[4, 0] = 0, np.nan, np.inf
        rows = sort_out(vectors)
        assert rows.usable.tolist() == [0, 2, 5]
        assert rows.unusable.tolist() == [1, 3, 4]
        np.testing.assert_array_equal(rows.vectors, vectors[[0, 2, 5]])

    @pytest.mark.parametrize("scale", [1e-30, 0.5, 3.0, 1e30])
    def test_the_rest_is_brought_to_length_one(self, scale):
        vectors = scale * np.random.default_rng(0).normal(size=(20, 8))
        np.testing.assert_allclose(sort_out(vectors).vectors, unit(vectors), atol=1e-6)

    @given(seed=SEEDS, dimensions=st.integers(2, 600))
    def test_unit_vectors_keep_every_bit(self, seed, dimensions):
        vectors = unit(np.random.default_rng(seed).normal(size=(9, dimensions)))
        np.testing.assert_array_equal(sort_out(vectors).vectors, vectors)

    def test_equal_rows_are_folded_in_order(self):
        vectors = np.eye(4, dtype=np.float32)[[2, 0, 2, 3, 0, 0]]
        rows = sort_out(vectors)
        assert rows.group.tolist() == [0, 1, 0, 2, 1, 1]
        assert rows.sizes.tolist() == [2, 3, 1]
        np.testing.assert_array_equal(rows.vectors[rows.group], vectors)


class TestProducts:
    @given(seed=SEEDS, dimensions=st.integers(1, 700), apart=st.integers(-8, 0))
    def test_the_error_is_a_bound(self, seed, dimensions, apart):
        rng = np.random.default_rng(seed)
        near = rng.normal(size=dimensions)
        near = near + 10.0**apart * rng.normal(size=(30, dimensions))
        vectors = sort_out(near).vectors
        squares = 2 - 2 * (vectors @ vectors.T).astype(np.float64)
        wrong = np.abs(squares - all_distances(vectors) ** 2)
        assert wrong.max() <= error(dimensions)

    @pytest.mark.parametrize("block", [1, 7, 1000])
    @pytest.mark.parametrize("right", [False, True])
    def test_pairs_above_the_lower_limit(self, block, right):
        left = some(40, 1)
        other = some(25, 2) if right else None
        limit = np.random.default_rng(3).uniform(0, 1, 40).astype(np.float32)
        strip = np.full(40, NEVER) if right else limit

        def limits(i, j):
            return limit[i, None], strip[j]

        found = close_pairs(left, other, limits, HOST._replace(block=block))
        pairs = {(i, j): s for part in found for i, j, s in zip(*part, strict=True)}
        product = left @ (left if other is None else other).T
        lower = np.minimum(limit[:, None], strip[: product.shape[1]])
        wanted = product > lower
        if not right:
            wanted = np.triu(wanted, 1)
        assert sorted(pairs) == list(zip(*np.nonzero(wanted), strict=True))
        for pair, value in pairs.items():
            assert value == pytest.approx(product[pair], abs=1e-6)

    def test_limits_are_asked_while_pairs_are_taken(self):
        asked = []

        def limits(i, j):
            asked.append((i.start, j.start))
            return (np.full((1, 1), NEVER),)

        pairs = close_pairs(
            some(50, 0), None, limits, HOST._replace(block=5, threads=2)
        )
        next(pairs)
        assert len(asked) < 6

    def test_torch_is_imported_only_for_a_gpu(self, monkeypatch):
        monkeypatch.setattr(distances.gpu, "count", lambda: 0)
        monkeypatch.setitem(sys.modules, "torch", None)
        assert distances.best_arrays(10**6) is HOST

    def test_few_rows_stay_on_the_host(self, monkeypatch):
        monkeypatch.setattr(distances.gpu, "count", lambda: 1)
        monkeypatch.setitem(sys.modules, "torch", None)
        assert distances.best_arrays(100) is HOST


class TestThreads:
    def test_results_come_in_order(self):
        numbers = [0, 5, 3, 9, 1, 7]
        assert list(in_threads(lambda n: n * n, numbers, 3)) == [n * n for n in numbers]

    def test_blas_has_one_thread_in_each(self):
        seen = []

        def look(_):
            pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
            seen.append([p["num_threads"] for p in pools])
            return threading.get_ident()

        assert threading.get_ident() not in list(in_threads(look, range(4), 2))
        assert all(count == 1 for counts in seen for count in counts)

    def test_an_error_is_raised(self):
        with pytest.raises(ZeroDivisionError):
            list(in_threads(lambda n: 1 // n, [1, 0], 2))


class TestDistances:
    @given(seed=SEEDS, dimensions=st.integers(1, 130))
    def test_every_bit_is_as_in_hdbscan(self, seed, dimensions):
        vectors = some(20, seed, dimensions)
        i, j = np.triu_indices(20, 1)
        wanted = all_distances(vectors)[i, j]
        assert euclidean(vectors, i, j).tolist() == wanted.tolist()

    def test_more_than_a_thread_takes_at_once(self):
        vectors = some(250, 0)
        i, j = np.triu_indices(250, 1)
        wanted = all_distances(vectors)[i, j]
        assert euclidean(vectors, i, j).tolist() == wanted.tolist()

    def test_mutual_reachability(self):
        vectors, core = np.eye(3, dtype=np.float32), np.array([0.5, 1.6, 1.7])
        i, j = np.array([0, 0, 1]), np.array([0, 1, 2])
        found = mutual_reachability(vectors, core, i, j)
        assert found.tolist() == [0.5, 1.6, 1.7]


class TestNeighbours:
    @given(seed=SEEDS, size=st.integers(1, 60), k=st.integers(0, 59))
    def test_none_that_is_not_listed_is_nearer(self, seed, size, k):
        k = min(k, size - 1)
        vectors = some(size, seed)
        index, radius = nearest(vectors, k, HOST._replace(block=16))
        distances = all_distances(vectors)
        for row in range(size):
            listed = set(index[row].tolist())
            assert len(listed) == k and row not in listed
            others = np.setdiff1d(np.arange(size), [row, *listed])
            assert (distances[row, others] >= radius[row]).all()
            if k == size - 1:
                assert radius[row] == np.inf
            elif k:
                furthest = distances[row, index[row]].max()
                assert furthest**2 - radius[row] ** 2 <= 2 * error(24)

    def test_more_rows_than_are_looked_at_first(self):
        vectors = some(1300, 5)
        index, _ = nearest(vectors, 3)
        distances = all_distances(vectors)
        np.fill_diagonal(distances, np.inf)
        found = np.sort(np.take_along_axis(distances, index, 1), axis=1)
        np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :3], atol=1e-4)

    @given(seed=SEEDS, size=st.integers(3, 30), min_samples=st.integers(1, 8))
    def test_core_distances_count_equal_rows(self, seed, size, min_samples):
        rng = np.random.default_rng(seed)
        vectors = some(size, seed)[rng.integers(0, size, 3 * size)]
        rows = sort_out(vectors)
        distances = all_distances(rows.vectors)
        n = len(distances)
        index = np.array([np.delete(np.arange(n), row) for row in range(n)], int)
        found = core_distances(
            rows.sizes - 1,
            np.take_along_axis(distances, index, 1),
            rows.sizes[index],
            min_samples,
        )
        wanted = naive_core(all_distances(vectors), min_samples)
        assert found[rows.group].tolist() == wanted.tolist()

    @given(seed=SEEDS, min_samples=st.integers(1, 6), spread=st.integers(-8, -2))
    def test_bursts_are_certified(self, seed, min_samples, spread):
        vectors = sort_out(some(80, seed, spread=10.0**spread)).vectors
        sizes = np.ones(len(vectors), int)
        index, radius = nearest(vectors, min_samples)
        i = np.repeat(np.arange(len(vectors)), min_samples)
        listed = euclidean(vectors, i, index.ravel()).reshape(index.shape)
        core = core_distances(sizes - 1, listed, sizes[index], min_samples)
        found = certified(vectors, core, radius, sizes, min_samples)
        wanted = naive_core(all_distances(vectors), min_samples)
        assert found.tolist() == wanted.tolist()


class TestSpanning:
    @given(values=st.lists(st.integers(0, 20), min_size=1, max_size=40))
    def test_maxima_of_ranges(self, values):
        low, high = np.triu_indices(len(values) + 1, 1)
        found = RangeMaximum(np.array(values, float))(low, high)
        wanted = [max(values[a:b]) for a, b in zip(low, high, strict=True)]
        assert found.tolist() == wanted

    @given(seed=SEEDS, n=st.integers(1, 30), count=st.integers(0, 90))
    def test_the_forest_is_minimal(self, seed, n, count):
        edges = random_edges(n, count, np.random.default_rng(seed))
        forest = Forest(n, edges)
        # One more, as scipy takes a weight of 0 for no edge; of equal edges the least.
        dense = np.full((n, n), np.inf)
        np.minimum.at(dense, (edges.i, edges.j), edges.weight + 1)
        there = np.isfinite(dense)
        graph = coo_array((dense[there], np.nonzero(there)), shape=(n, n))
        weights = np.sort(minimum_spanning_tree(graph.tocsr()).data) - 1
        assert np.sort(forest.edges.weight).tolist() == weights.tolist()
        trees, labels = connected_components(graph, directed=False)
        assert len(forest.edges) == n - trees
        assert len(set(zip(forest.trees(), labels, strict=True))) == trees

    @given(seed=SEEDS, n=st.integers(2, 25), count=st.integers(0, 70))
    def test_bottlenecks(self, seed, n, count):
        edges = random_edges(n, count, np.random.default_rng(seed))
        i, j = np.triu_indices(n, 1)
        found = Forest(n, edges).bottleneck(i, j)
        assert found.tolist() == naive_bottlenecks(n, edges)[i, j].tolist()

    @given(seed=SEEDS, n=st.integers(2, 20))
    def test_the_highest_weight_at_which_an_edge_could_matter(self, seed, n):
        rng = np.random.default_rng(seed)
        edges = random_edges(n, 6 * n, rng)
        low = rng.integers(0, 9, n).astype(float)
        i, j = np.triu_indices(n, 1)
        reach = naive_bottlenecks(n, edges)[i, j]
        matters = (np.maximum(low[i], low[j]) <= reach) & np.isfinite(reach)
        wanted = reach[matters].max(initial=-np.inf)
        assert highest_open(Forest(n, edges), low) == wanted


class TestSweep:
    def known(self, vectors, k):
        """Core distances, the edges to the k nearest, and how far those reach."""
        core = naive_core(all_distances(vectors), 2)
        index, radius = nearest(vectors, k)
        i, j = np.repeat(np.arange(len(vectors)), k), index.ravel()
        edges = Edges(i, j, mutual_reachability(vectors, core, i, j))
        weights = np.maximum(all_distances(vectors), np.maximum(core, core[:, None]))
        return core, radius, edges, weights

    @given(seed=SEEDS, size=st.integers(6, 80), spread=st.integers(-4, 0))
    def test_trees_are_connected(self, seed, size, spread):
        vectors = some(size, seed, spread=10.0**spread)
        core, _, edges, weights = self.known(vectors, 1)
        forest = connect(vectors, core, edges)
        i, j = forest.edges.i, forest.edges.j
        assert len(i) == size - 1 and len(np.unique(forest.trees())) == 1
        assert forest.edges.weight.tolist() == weights[i, j].tolist()

    @given(seed=SEEDS, size=st.integers(6, 60), k=st.integers(1, 5), flat=st.booleans())
    def test_no_edge_of_any_minimal_tree_is_missing(self, seed, size, k, flat):
        vectors = some(size, seed)
        if flat:
            vectors = np.unique(unit(np.rint(2 * vectors) + 0.01), axis=0)
            k = min(k, len(vectors) - 1)
        if len(vectors) < 4:
            return
        core, radius, edges, weights = self.known(vectors, k)
        tree, others = sweep(vectors, core, radius, connect(vectors, core, edges))
        i, j = np.triu_indices(len(vectors), 1)
        bottleneck = naive_bottlenecks(len(vectors), every_edge(weights))[i, j]
        assert tree.bottleneck(i, j).tolist() == bottleneck.tolist()
        tight = weights[i, j] == bottleneck
        wanted = set(zip(i[tight].tolist(), j[tight].tolist(), strict=True))
        known = tree.edges + others + edges
        pairs = np.sort([known.i, known.j], axis=0).tolist()
        assert wanted <= set(zip(*pairs, strict=True))


class TestPrim:
    @given(
        seed=SEEDS,
        size=st.integers(2, 40),
        different=st.integers(1, 30),
        min_samples=st.integers(1, 5),
    )
    def test_the_order_is_that_of_hdbscan(self, seed, size, different, min_samples):
        rng = np.random.default_rng(seed)
        vectors = unit(rng.integers(0, 3, (different, 3)) + 0.01)
        rows = sort_out(vectors[rng.integers(0, different, size)])
        everything = rows.vectors[rows.group].astype(np.float64)
        core = naive_core(all_distances(everything), min(min_samples, size - 1))
        of_distinct = core[np.unique(rows.group, return_index=True)[1]]
        weights = np.maximum(
            all_distances(rows.vectors),
            np.maximum(of_distinct, of_distinct[:, None]),
        )
        found = prim(rows.group, of_distinct, every_edge(weights))
        wanted = mst_linkage_core_vector(everything, core, EUCLIDEAN)
        assert found.tolist() == wanted.tolist()


def test_where_nothing_can_be_cached_it_is_compiled_all_the_same(monkeypatch):
    numba = parallel.njit

    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba(**options)

    monkeypatch.setattr(parallel, "njit", njit)

    @parallel.compiled
    def twice(number):
        return 2 * number

    assert twice(4) == 8
