from contextlib import closing

import dlib
import numpy as np
import pytest
from PIL import Image

from dtst_flow.embed.base import Sample
from dtst_flow.embed.dlib import SIDE, TEMPLATE, DlibEmbedder, align
from dtst_flow.embed.embedders import MODELS
from dtst_flow.faces import alignment, crop
from dtst_flow.faces.dlib import DlibEngine
from dtst_flow.imaging import decode
from dtst_flow.models import store

SAME = MODELS["dlib"].same


@pytest.fixture(scope="module")
def embedder():
    with closing(DlibEmbedder(store.resolve("dlib_resnet").path, 32)) as embedder:
        yield embedder


@pytest.fixture(scope="module")
def predictor():
    return store.resolve("dlib_68_points").path


@pytest.fixture(scope="module")
def photo(group_photo):
    return decode.read(group_photo)


@pytest.fixture(scope="module")
def samples(photo, predictor) -> list[Sample]:
    with closing(DlibEngine(predictor)) as engine:
        faces = engine.find(photo)
    return [Sample(photo, np.float32(face.points)) for face in faces]


@pytest.fixture(scope="module")
def rows(embedder, samples):
    return embedder.embed(samples)


def test_rows_are_float32_of_length_one(rows, embedder):
    assert rows.shape == (6, embedder.dimensions)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_changed_photo_moves_a_person_less_than_another_person_is_away(
    embedder, samples, rows
):
    def changed(sample: Sample) -> Sample:
        small = Image.fromarray(sample.image).resize((640, 443), Image.Resampling.BOX)
        darker = (np.asarray(small) * 0.7).astype(np.uint8)
        return Sample(darker, sample.points / 2)

    moved = np.diag(1 - embedder.embed(list(map(changed, samples))) @ rows.T)
    away = (1 - rows @ rows.T)[~np.eye(6, dtype=bool)]
    assert moved.max() < SAME / 2 < away.min()


def test_chips_are_as_good_as_those_of_dlib_itself(embedder, photo, predictor, rows):
    predict = dlib.shape_predictor(str(predictor))
    model = dlib.face_recognition_model_v1(str(store.resolve("dlib_resnet").path))
    theirs = []
    for box in dlib.get_frontal_face_detector()(photo, 1):
        chip = dlib.get_face_chip(photo, predict(photo, box), 150, 0.25)
        theirs.append(np.array(model.compute_face_descriptor(chip)))
    theirs = np.array(theirs)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert (theirs * rows).sum(axis=1).min() > 0.99


def test_a_row_does_not_depend_on_its_companions(embedder, samples, rows):
    for i, sample in enumerate(samples):
        assert embedder.embed([sample]).tobytes() == rows[i : i + 1].tobytes()
    assert embedder.embed(samples[::-1])[::-1].tobytes() == rows.tobytes()


def test_without_points_an_aligned_crop_is_embedded_nearly_alike(
    embedder, photo, samples
):
    for sample in samples:
        quad = alignment.quad(sample.points)
        cut = crop.cut(photo, quad)
        points = np.float32(crop.to_crop(sample.points, quad, len(cut)))
        known, unknown = embedder.embed([Sample(cut, points), Sample(cut)])
        assert 1 - known @ unknown < SAME / 2


def test_no_samples_give_no_rows(embedder):
    assert embedder.embed([]).shape == (0, 128)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_any_image_gives_a_row(embedder, shape):
    row = embedder.embed([Sample(np.zeros((*shape, 3), np.uint8))])
    assert np.isfinite(row).all()


@pytest.mark.parametrize("scale", [0.6, 1, 1.7, 5])
def test_the_chip_shows_the_points_where_the_template_has_them(scale):
    # Colour tells the place: a gradient survives interpolation and averaging.
    side = int(180 * scale)
    y, x = np.mgrid[:side, :side] + 0.5
    image = np.rint(np.stack([x, y, 0 * x], axis=-1) * (250 / side))
    points = (TEMPLATE + 0.5 + (10, 15)) * scale
    chip = align(image.astype(np.uint8), points)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    expected = np.stack([x + 10, y + 15], axis=-1) * scale
    assert np.abs(chip[..., :2] * (side / 250) - expected).max() < 2.5 * side / 250
