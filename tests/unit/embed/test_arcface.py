import warnings
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.embed import arcface
from dtst_flow.embed.arcface import SIDE, TEMPLATE, ArcfaceEmbedder, align, similarity
from dtst_flow.embed.base import Sample
from dtst_flow.embed.embedders import MODELS
from dtst_flow.faces import alignment, crop
from dtst_flow.imaging import decode
from dtst_flow.models.onnx import CUDA

SAME = MODELS["arcface"].same


# The warp


@st.composite
def transforms(draw):
    """A random similarity as a (2, 3) matrix from template to image pixels."""
    scale = draw(st.floats(0.05, 50))
    angle = draw(st.floats(-np.pi, np.pi))
    shift = draw(st.tuples(*2 * [st.floats(-1e4, 1e4)]))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([(cos, -sin, shift[0]), (sin, cos, shift[1])])


def apply(transform, points):
    return points @ transform[:, :2].T + transform[:, 2]


@given(transforms())
def test_a_similarity_is_recovered_from_the_points_it_moved(transform):
    found = similarity(TEMPLATE, apply(transform, TEMPLATE))
    assert found == pytest.approx(transform, rel=1e-6, abs=1e-6)


@given(transforms(), st.integers(0, 2**32 - 1))
def test_no_other_similarity_brings_the_points_closer(transform, seed):
    noise = np.random.default_rng(seed).normal(size=(2, *TEMPLATE.shape))
    points = apply(transform, TEMPLATE + noise[0])

    def error(forward):
        return np.sum((apply(forward, points) - TEMPLATE) ** 2)

    def inverse(matrix):
        return np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2]

    best = inverse(similarity(TEMPLATE, points))
    for turn in (1 + 1e-3, 1 - 1e-3, np.exp(1e-3j), np.exp(-1e-3j)):
        rotation = np.array([(turn.real, -turn.imag), (turn.imag, turn.real)])
        other = best.copy()
        other[:, :2] = rotation @ best[:, :2]
        centre = points.mean(axis=0)
        other[:, 2] = apply(best, centre) - other[:, :2] @ centre
        assert error(best) <= error(other) * (1 + 1e-9)


@pytest.mark.parametrize("scale", [0.5, 1, 1.6, 4, 20])
def test_the_crop_shows_the_points_where_the_template_has_them(scale):
    # Colour tells the place: a gradient survives interpolation and averaging.
    side = int(140 * scale)
    y, x = np.mgrid[:side, :side] + 0.5
    image = np.stack([x, y, 0 * x], axis=-1) * (250 / side)
    points = TEMPLATE * scale + (10 * scale, 15 * scale)
    cut = align(np.rint(image).astype(np.uint8), points)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    place = cut[..., :2] * (side / 250)
    expected = np.stack([x + 10, y + 15], axis=-1) * scale
    assert np.abs(place - expected).max() < 1.5 * side / 250


def test_a_large_face_is_averaged_not_sampled():
    noise = np.random.default_rng(0).normal(128, 30, (900, 900, 3))
    cut = align(noise.clip(0, 255).astype(np.uint8), TEMPLATE * 8)
    assert cut.std() < 30 / 5


def test_outside_the_image_is_black():
    cut = align(np.full((40, 40, 3), 200, np.uint8), TEMPLATE)
    assert (cut[:39, :39] == 200).all()
    assert (cut[41:] == 0).all() and (cut[:, 41:] == 0).all()


# Samples


@pytest.mark.parametrize(
    "points", [np.zeros((5, 2)), np.full((5, 2), np.nan), TEMPLATE * [[np.inf, 1]]]
)
def test_points_that_place_no_face_are_refused(points):
    with pytest.raises(ValueError, match="place no face"):
        Sample(np.zeros((9, 9, 3), np.uint8), points.astype(np.float32))


def test_unknown_points_are_those_of_an_aligned_crop_in_the_middle():
    square = Sample(np.zeros((200, 200, 3), np.uint8)).face
    wide = Sample(np.zeros((200, 300, 3), np.uint8)).face
    assert wide == pytest.approx(square + np.array([50, 0]))
    corners = alignment.quad(square)
    assert corners == pytest.approx(
        np.array([(0, 0), (0, 200), (200, 200), (200, 0)]), abs=3
    )


# Batches


class Session:
    """An ONNX Runtime session whose rows are the means of small blocks of each crop."""

    shapes: list[tuple[int, ...]]

    def __init__(self, providers):
        self.providers = providers
        self.shapes = []

    def get_providers(self):
        return self.providers

    def get_inputs(self):
        return [type("Input", (), {"name": "input.1"})]

    def get_outputs(self):
        return [type("Output", (), {"shape": ["batch", 147]})]

    def run(self, _, feed):
        (pixels,) = feed.values()
        self.shapes.append(pixels.shape)
        blocks = pixels.reshape(len(pixels), 3, 7, 16, 7, 16).mean(axis=(3, 5))
        return [blocks.reshape(len(pixels), -1)]


def embedder_on(monkeypatch, tmp_path, providers, operator=b"Conv"):
    session = Session(providers)
    monkeypatch.setattr(arcface, "open_session", lambda weights: session)
    weights = tmp_path / "weights.onnx"
    weights.write_bytes(b"\x08\x06" + operator)
    return ArcfaceEmbedder(weights, batch_size=4), session


def some_samples(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), np.uint8)
    return [Sample(image) for image in pixels]


def test_a_gpu_gets_batches_of_one_shape(monkeypatch, tmp_path):
    embedder, session = embedder_on(monkeypatch, tmp_path, [CUDA])
    samples = some_samples(6)
    rows = embedder.embed(samples)
    assert session.shapes == 2 * [(4, 3, SIDE, SIDE)]
    assert rows.shape == (6, embedder.dimensions)
    assert np.array_equal(rows[5:], embedder.embed(samples[5:]))


@pytest.mark.parametrize(
    ("providers", "operator"),
    [(["CPUExecutionProvider"], b"Conv"), ([CUDA], b"DynamicQuantizeLinear")],
)
def test_else_one_sample_is_computed_at_a_time(
    monkeypatch, tmp_path, providers, operator
):
    embedder, session = embedder_on(monkeypatch, tmp_path, providers, operator)
    embedder.embed(some_samples(3))
    assert embedder.batch_size == 1
    assert session.shapes == 3 * [(1, 3, SIDE, SIDE)]


def test_no_samples_give_no_rows(monkeypatch, tmp_path):
    embedder, _ = embedder_on(monkeypatch, tmp_path, ["CPUExecutionProvider"])
    with warnings.catch_warnings(action="error"):
        assert embedder.embed([]).shape == (0, 147)


# A real model

PEOPLE = ("Ariel_Sharon", "Colin_Powell", "Jacques_Chirac", "Tony_Blair")


@pytest.fixture(scope="module")
def embedder(shared):
    with closing(
        ArcfaceEmbedder(shared / "models/w600k_mbf_int8.onnx", batch_size=32)
    ) as embedder:
        yield embedder


@pytest.fixture(scope="module")
def samples(shared) -> list[Sample]:
    """Three photos of each of PEOPLE."""
    from dtst_flow.faces.scrfd import ScrfdEngine

    folder = shared / "data/faces_identity/lfw_original"
    files = [file for name in PEOPLE for file in sorted((folder / name).iterdir())[:3]]
    with closing(ScrfdEngine(shared / "models/det_500m.onnx")) as engine:
        samples = []
        for image in map(decode.read, files):
            face = max(engine.find(image), key=lambda face: face.area)
            samples.append(Sample(image, np.float32(face.points)))
    return samples


@pytest.fixture(scope="module")
def rows(embedder, samples):
    return embedder.embed(samples)


def test_rows_are_float32_of_length_one(embedder, rows):
    assert rows.shape == (12, embedder.dimensions) == (12, 512)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)


def test_people_are_told_apart(rows):
    people = np.repeat(np.arange(len(PEOPLE)), 3)
    same = people[:, None] == people
    distances = 1 - rows @ rows.T
    assert distances[same].max() < 0.65 < distances[~same].min()


def test_a_row_does_not_depend_on_its_companions(embedder, samples, rows):
    for i, sample in enumerate(samples):
        assert embedder.embed([sample]).tobytes() == rows[i : i + 1].tobytes()
    assert embedder.embed(samples[::-1])[::-1].tobytes() == rows.tobytes()


def test_without_points_an_aligned_crop_is_embedded_nearly_alike(embedder, samples):
    for sample in samples:
        quad = alignment.quad(sample.points)
        cut = crop.cut(sample.image, quad)
        points = np.float32(crop.to_crop(sample.points, quad, len(cut)))
        known, unknown = embedder.embed([Sample(cut, points), Sample(cut)])
        assert 1 - known @ unknown < SAME / 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_any_image_gives_a_row(embedder, shape):
    row = embedder.embed([Sample(np.zeros((*shape, 3), np.uint8))])
    assert np.isfinite(row).all()
