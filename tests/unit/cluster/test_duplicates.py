from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.cluster.duplicates import BITS, find
from dtst_flow.embed.base import Sample
from dtst_flow.embed.embedders import MODELS, open_embedder
from dtst_flow.imaging import decode
from dtst_flow.imaging.perceptual_hash import perceptual_hash
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


def by_definition(vectors: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """The number of each row's set, from all pairs at once."""
    bits = np.bitwise_count(hashes[:, None] ^ hashes)
    distances = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    linked = (bits <= BITS) & (distances <= ALIKE) | np.eye(len(hashes), dtype=bool)
    for _ in range(len(hashes)):
        linked = linked @ linked
    return np.unique(linked.argmax(axis=1), return_inverse=True)[1]


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
def test_sets_are_those_of_the_definition(photos):
    vectors, hashes = photos
    sets = find(vectors, hashes, ALIKE)
    assert sets.of.tolist() == by_definition(vectors, hashes).tolist()


@given(photos())
def test_the_one_nearest_to_the_mean_stands_for_its_set(photos):
    vectors, hashes = photos
    sets = find(vectors, hashes, ALIKE)
    for chosen, rows in zip(sets.chosen, rows_of(sets), strict=True):
        near = vectors[rows].astype(np.float64) @ vectors[rows].mean(axis=0)
        assert chosen in rows
        assert near[rows.index(chosen)] == pytest.approx(near.max(), abs=1e-6)


def test_both_have_to_be_close():
    same = at_angles(0, 0)
    assert rows_of(find(same, hashes_of(0, 0xFF), ALIKE)) == [[0, 1]]
    assert rows_of(find(same, hashes_of(0, 0x1FF), ALIKE)) == [[0], [1]]
    assert rows_of(find(at_angles(0, 20), hashes_of(0, 0), ALIKE)) == [[0, 1]]
    assert rows_of(find(at_angles(0, 30), hashes_of(0, 0), ALIKE)) == [[0], [1]]


def test_a_chain_is_one_set():
    vectors = at_angles(*range(0, 360, 20))
    assert len(find(vectors, np.zeros(18, np.uint64), ALIKE).chosen) == 1
    hashes = hashes_of(*(2**i - 1 for i in range(0, 64, BITS)))
    same = at_angles(*[0] * 8)
    assert len(find(same, hashes, ALIKE).chosen) == 1
    assert len(find(same, hashes, ALIKE, bits=BITS - 1).chosen) == 8


def test_of_equals_the_first_stands_for_all():
    vectors = at_angles(90, 0, 90, 0, 0, 90)
    sets = find(vectors, np.zeros(6, np.uint64), ALIKE)
    assert sets.of.tolist() == [0, 1, 0, 1, 1, 0]
    assert sets.chosen.tolist() == [0, 1]


@pytest.mark.parametrize("size", [0, 1])
def test_few(size):
    sets = find(at_angles(0)[:size], hashes_of(7)[:size], ALIKE)
    assert sets.of.tolist() == sets.chosen.tolist() == [0] * size
    assert sets.of.dtype.kind == sets.chosen.dtype.kind == "i"


def test_nothing_at_all():
    sets = find(np.empty((0, 0), np.float32), np.empty(0, np.uint64), ALIKE)
    assert len(sets.of) == len(sets.chosen) == 0


def test_what_is_no_number_is_like_nothing():
    vectors = at_angles(0, 0, 0, 0)
    vectors[[1, 2], 0] = np.nan
    assert rows_of(find(vectors, hashes_of(0, 0, 0, 0), ALIKE)) == [[0, 3], [1], [2]]


@pytest.mark.parametrize("spread", [0, 1e-3])
def test_many_copies_of_one_photo_take_no_time(spread):
    noise = np.random.default_rng(0).normal(size=(100_000, 16))
    vectors = unit(np.eye(16)[0] + spread * noise)
    assert len(find(vectors, np.zeros(100_000, np.uint64), ALIKE).chosen) == 1


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
    sets = find(vectors, hashes, MODELS["efficientnet"].alike)
    found = [[paths[row].stem for row in rows] for rows in rows_of(sets)]
    copies = ("crop5", "half", "orig", "q30")
    expected = [[f"g{i}_{kind}" for kind in copies] for i in range(6)]
    assert sorted(found) == sorted([*expected, *([f"g{i}_mirror"] for i in range(6))])
