from contextlib import closing
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.cluster.duplicates import COPY_BITS, Look, Sets, find
from dtst_flow.embed.base import Sample
from dtst_flow.embed.embedders import MODELS, open_embedder
from dtst_flow.imaging import decode
from dtst_flow.imaging.perceptual_hash import BITS, perceptual_hash
from dtst_flow.models import store

ALIKE = 0.1


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hashes_of(*hashes: int) -> np.ndarray:
    return np.array(hashes, np.uint64)


def at_angles(*degrees: float) -> np.ndarray:
    """Vectors of a plane; 20 degrees are a distance of 0.06, 30 are 0.13."""
    angles = np.radians(degrees)
    return unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def rows_of(sets) -> list[list[int]]:
    return [np.flatnonzero(sets.of == i).tolist() for i in range(len(sets.chosen))]


def found(vectors, hashes, alike=ALIKE, bits=BITS, least=10**9) -> Sets:
    return find(Look(vectors, hashes, alike, bits), least)


def close_to(vectors: np.ndarray, hashes: np.ndarray, row: int) -> np.ndarray:
    """Which rows are near-duplicates of one, (n,)."""
    bits = np.bitwise_count(hashes ^ hashes[row])
    distances = 1 - vectors.astype(np.float64) @ vectors[row].astype(np.float64)
    return (bits <= BITS) & (distances <= ALIKE) | (bits <= COPY_BITS)


@st.composite
def photos(draw):
    """Vectors and hashes of versions of a few photos, some of them hardly changed."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, originals = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    of = chance.integers(0, originals, n)
    hashes = chance.integers(0, 2**64, originals, np.uint64)[of]
    for _ in range(draw(st.integers(0, 10))):
        hashes ^= np.uint64(1) << chance.integers(0, 64, n, np.uint64)
    noise = draw(st.sampled_from([0, 0.05, 0.1, 0.2]))
    vectors = chance.normal(size=(originals, 8))[of] + noise * chance.normal(
        size=(n, 8)
    )
    return unit(vectors), hashes


@given(photos())
def test_a_set_holds_what_is_close_to_the_row_that_stands_for_it(photos):
    vectors, hashes = photos
    sets = found(vectors, hashes)
    assert sorted(chain.from_iterable(rows_of(sets))) == list(range(len(hashes)))
    for chosen, rows in zip(sets.chosen, rows_of(sets), strict=True):
        assert chosen in rows
        assert close_to(vectors, hashes, chosen)[rows].all()


@given(photos())
def test_rows_that_stand_for_sets_by_being_first_are_close_to_none_before(photos):
    vectors, hashes = photos
    firsts = [rows[0] for rows in rows_of(found(vectors, hashes))]
    assert firsts == sorted(firsts)


def test_the_one_nearest_to_the_mean_stands_for_a_set():
    sets = found(at_angles(0, 18, 10), hashes_of(0, 0, 0))
    assert sets.chosen.tolist() == [2]


def test_both_have_to_be_close():
    same = at_angles(0, 0)
    assert rows_of(found(same, hashes_of(0, 0xFF))) == [[0, 1]]
    assert rows_of(found(same, hashes_of(0, 0x1FF))) == [[0], [1]]
    assert rows_of(found(at_angles(0, 20), hashes_of(0, 0b111))) == [[0, 1]]
    assert rows_of(found(at_angles(0, 30), hashes_of(0, 0b111))) == [[0], [1]]


def test_copies_to_the_eye_are_copies_whatever_the_model_says():
    assert rows_of(found(at_angles(0, 90), hashes_of(0, 0b11))) == [[0, 1]]


class TestChains:
    """Frames of a slow pan: each differs from the next in half of BITS."""

    def frames(self, count: int):
        half = BITS // 2
        hashes = hashes_of(*((1 << half * i) - 1 for i in range(count)))
        return at_angles(*[0] * count), hashes

    def test_a_long_one_makes_several_sets(self):
        assert rows_of(found(*self.frames(9))) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]

    def test_one_with_a_row_that_all_are_close_to_is_one(self):
        vectors, hashes = self.frames(5)
        vectors = unit(np.eye(5)[0] + 0.1 * np.eye(5)[[1, 2, 0, 3, 4]])
        sets = found(vectors, hashes)
        assert (rows_of(sets), sets.chosen.tolist()) == ([[0, 1, 2, 3, 4]], [2])

    def test_frames_that_would_make_a_cluster_count_one_by_one(self):
        vectors, hashes = self.frames(9)
        assert len(found(vectors, hashes, least=3).chosen) == 3
        assert len(found(vectors, hashes, least=4).chosen) == 9
        assert len(found(vectors, hashes, least=10).chosen) == 3

    def test_copies_of_frames_count_once_nevertheless(self):
        vectors, hashes = self.frames(9)
        both = found(
            unit([*vectors, *vectors]), np.concatenate([hashes, hashes]), least=4
        )
        assert len(both.chosen) == 9


def test_of_equals_the_first_stands_for_all():
    vectors = at_angles(90, 0, 90, 0, 0, 90)
    sets = found(vectors, hashes_of(0, 0xFF, 0, 0xFF, 0xFF, 0))
    assert sets.of.tolist() == [0, 1, 0, 1, 1, 0]
    assert sets.chosen.tolist() == [0, 1]


@pytest.mark.parametrize("size", [0, 1])
def test_few(size):
    sets = found(at_angles(0)[:size], hashes_of(7)[:size])
    assert sets.of.tolist() == sets.chosen.tolist() == [0] * size
    assert sets.of.dtype.kind == sets.chosen.dtype.kind == "i"


def test_nothing_at_all():
    sets = found(np.empty((0, 0), np.float32), np.empty(0, np.uint64))
    assert len(sets.of) == len(sets.chosen) == 0


def test_what_is_no_number_is_like_nothing():
    vectors = at_angles(0, 0, 0, 0)
    vectors[[1, 2], 0] = np.nan
    assert rows_of(found(vectors, hashes_of(0, 0, 0, 0))) == [[0, 3], [1], [2]]


@pytest.mark.parametrize("spread", [0, 1e-3])
def test_many_copies_of_one_photo_take_no_time(spread):
    noise = np.random.default_rng(0).normal(size=(100_000, 16))
    vectors = unit(np.eye(16)[0] + spread * noise)
    assert len(found(vectors, np.zeros(100_000, np.uint64)).chosen) == 1


# Real photos


@pytest.fixture(scope="module")
def versions(shared):
    """Paths, vectors and hashes of six photos in five versions each."""
    paths = sorted((shared / "data/nasty/near_dup").iterdir())
    pictures = [decode.read(path) for path in paths]
    hashes = hashes_of(*map(perceptual_hash, pictures))
    weights = store.resolve(MODELS["efficientnet"].weights).path
    with closing(open_embedder("efficientnet", weights, 1)) as embedder:
        return paths, embedder.embed([Sample(p) for p in pictures]), hashes


def test_copies_are_found_and_mirrored_photos_stand_alone(versions):
    paths, vectors, hashes = versions
    sets = found(vectors, hashes, MODELS["efficientnet"].alike)
    alike = [[paths[row].stem for row in rows] for rows in rows_of(sets)]
    copies = ("crop5", "half", "orig", "q30")
    expected = [[f"g{i}_{kind}" for kind in copies] for i in range(6)]
    assert sorted(alike) == sorted([*expected, *([f"g{i}_mirror"] for i in range(6))])
