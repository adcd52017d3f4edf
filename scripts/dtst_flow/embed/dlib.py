"""dlib's face recognition ResNet: identity of a face, its model comes with a Python package.

King, "High Quality Face Recognition with Deep Metric Learning", dlib.net, 2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dtst_flow.embed.base import Embedder, Prepared, Sample
from dtst_flow.utils.array_types import Pixels, Positions, Vectors

if TYPE_CHECKING:
    from dlib import dpoints as DPoints

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
"""Where the five points are in that chip, counted from the centre of the first pixel.

dlib makes its chips from 68 landmarks (`get_face_chip_details`, padding 0.25). These
are the medians of five points of those landmarks (an eye: the mean of its outline) in
the chips of 329 portraits of LFW. Chips made from five points by them tell people
apart as well as dlib's own.
"""


class DlibEmbedder(Embedder):
    """Computes one sample at a time, as a batch is no faster.

    Args:
        weights: The model file.
        batch_size: Not used.
    """

    dimensions = 128
    batch_size = 1

    def __init__(self, weights: Path, batch_size: int = 1):
        import dlib

        self._model = dlib.face_recognition_model_v1(str(weights))

    def prepare(self, sample: Sample) -> Pixels:
        """Make the aligned chip, (SIDE, SIDE, 3) uint8 RGB."""
        return align(sample.image, sample.face)

    def run(self, batch: list[Prepared]) -> Vectors:
        """Compute the descriptor of one chip, (1, 128) float32."""
        (chip,) = batch
        return np.array([self._model.compute_face_descriptor(chip)], np.float32)

    def close(self) -> None:
        """Free the model."""
        del self._model


def align(image: Pixels, points: Positions) -> Pixels:
    """Make the chip in which the points are closest to TEMPLATE.

    Args:
        image: (height, width, 3) uint8 RGB.
        points: (5, 2) in pixels of the image.

    Returns:
        The chip, (SIDE, SIDE, 3) uint8 RGB.
    """
    import dlib

    details = dlib.chip_details(
        _dpoints(TEMPLATE), _dpoints(points - 0.5), dlib.chip_dims(SIDE, SIDE)
    )
    chip: Pixels = dlib.extract_image_chip(image, details)
    return chip


def _dpoints(points: Positions) -> DPoints:
    """Convert points to dlib's type."""
    import dlib

    return dlib.dpoints([dlib.dpoint(x, y) for x, y in points])
