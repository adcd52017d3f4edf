"""dlib's face recognition ResNet: identity of a face, its model comes with a Python package.

King, "High Quality Face Recognition with Deep Metric Learning", dlib.net, 2017.
"""

from pathlib import Path

import numpy as np

from dtst_flow.embed.base import Embedder, Sample

SIDE = 150
"""Side in pixels of the chip the model takes."""

TEMPLATE = np.array(
    [
        (47.3, 46.0),
        (99.5, 45.9),
        (73.7, 74.6),
        (50.2, 104.3),
        (97.1, 104.7),
    ]
)
"""Where the five points lie in that chip, counted from the centre of the first pixel.

dlib makes its chips from 68 landmarks (`get_face_chip_details`, padding 0.25). These
are the medians of five points of those landmarks (an eye: the mean of its outline) in
the chips of 329 portraits of LFW. Chips made from five points by them tell people
apart as well as dlib's own.
"""


class DlibEmbedder(Embedder):
    """Computes one sample at a time, as a batch is no faster; `batch_size` is not used."""

    dimensions = 128
    batch_size = 1

    def __init__(self, weights: Path, batch_size: int = 1):
        import dlib

        self._model = dlib.face_recognition_model_v1(str(weights))

    def prepare(self, sample: Sample) -> np.ndarray:
        """Return the aligned chip, (SIDE, SIDE, 3) uint8 RGB."""
        return align(sample.image, sample.face)

    def run(self, batch: list[np.ndarray]) -> np.ndarray:
        """Return the descriptor of a chip, (1, 128)."""
        (chip,) = batch
        return np.array([self._model.compute_face_descriptor(chip)], np.float32)

    def close(self) -> None:
        """Free the model."""
        del self._model


def align(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the chip (SIDE, SIDE, 3) uint8 RGB in which the points lie closest to TEMPLATE.

    image   (height, width, 3) uint8 RGB
    points  (5, 2) in pixels of the image
    """
    import dlib

    chip = dlib.chip_details(
        _dpoints(TEMPLATE), _dpoints(points - 0.5), dlib.chip_dims(SIDE, SIDE)
    )
    return dlib.extract_image_chip(image, chip)


def _dpoints(points: np.ndarray):
    """The points as dlib takes them."""
    import dlib

    return dlib.dpoints([dlib.dpoint(x, y) for x, y in points])
