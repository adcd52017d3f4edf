"""The floor below which the length of a model's vector tells that nobody is to be seen."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dtst_flow.embed.arcface import ArcfaceEmbedder
from dtst_flow.embed.base import Embedder
from dtst_flow.embed.drawn import draw
from dtst_flow.embed.recognisable import FACES, floor_of, shrink

WEIGHTS = Path(__file__).parents[4] / "shared/models/w600k_mbf_int8.onnx"


class Sharpness(Embedder):
    """A model that sees edges and a colour: what is blurred becomes one and the same.

    Args:
        power: What the length of its vectors is brought to.
    """

    dimensions = 3 * 28 * 28 + 1
    batch_size = 8

    def __init__(self, power: float):
        self._power = power

    def prepare(self, sample):
        return sample.image

    def run(self, batch):
        rows = []
        for image in batch:
            pixels = image.astype(np.float32)
            edges = pixels - shrink(image, 8)
            cells = edges.reshape(28, 4, 28, 4, 3)[:, 0, :, 0].ravel()
            row = np.append(cells, 300)
            rows.append(row * np.linalg.norm(row) ** (self._power - 1))
        return np.array(rows, np.float32)


def test_drawn_faces_differ_and_are_the_same_everywhere():
    faces = [draw(number) for number in range(FACES)]
    assert len({face.tobytes() for face in faces}) == FACES
    assert all(face.shape == (112, 112, 3) for face in faces)
    assert np.array_equal(draw(3), faces[3])


def test_the_floor_is_between_sharp_and_shrunk_faces():
    model = Sharpness(1)
    faces = [draw(number) for number in range(FACES)]
    sharp = np.linalg.norm(model.run(faces), axis=1).mean()
    blank = np.linalg.norm(model.run([shrink(f, 8) for f in faces]), axis=1).mean()
    floor = floor_of(model)
    assert floor is not None
    assert blank < floor < sharp


@pytest.mark.parametrize("power", [0, -1])
def test_lengths_that_are_all_alike_or_longer_for_blurred_faces_have_no_floor(power):
    assert floor_of(Sharpness(power)) is None


@pytest.mark.skipif(not WEIGHTS.exists(), reason="needs the shared weights")
def test_the_floor_of_a_real_model_is_the_one_measured_on_labelled_photos():
    """Junk has 9 to 15, other faces of clusters 15.8 to 28."""
    with closing(ArcfaceEmbedder(WEIGHTS)) as embedder:
        assert 14.5 < floor_of(embedder) < 16.5
