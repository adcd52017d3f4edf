"""SCRFD: faces of any size with five points, by a detector of InsightFace.

Guo, Deng, Lattas, Zafeiriou, "Sample and Computation Redistribution for Efficient
Face Detection", 2021.
"""

from pathlib import Path

import numpy as np

from dtst_flow.faces import turning
from dtst_flow.faces.base import Face
from dtst_flow.faces.detection import (
    STRIDES,
    Found,
    corners,
    fit,
    join,
)
from dtst_flow.faces.search import Levels, search
from dtst_flow.faces.turning import Surety
from dtst_flow.models.onnx import open_session
from dtst_flow.utils.array_types import Pixels
from dtst_flow.utils.arrays import planes

LEVELS = Levels(whole=(320, 640), shrinks=5)
"""640 is the size SCRFD was made for, but there it overlooks a face that fills the image; at
320 it sees that one. It is sure of faces from some 25 pixels on."""

SURETY = Surety(upright=0.8, turned=0.65)

ANCHORS = 2
"""Faces that each cell of the grids can report."""

MIN_SCORE = 0.5
SAME = 0.4
"""Score from which something is a face, and the overlap (intersection over union) that
makes two boxes one face, as InsightFace has them."""


class ScrfdEngine:
    """Finds faces with any SCRFD model that has three strides and five key points.

    Args:
        weights: The model, an ONNX file.

    Raises:
        ValueError: It is no such model.
    """

    def __init__(self, weights: Path):
        self._session = open_session(weights)
        self._input = self._session.get_inputs()[0].name
        widths = [output.shape[-1] for output in self._session.get_outputs()]
        if len(widths) != 9 or widths[6:] != [10] * 3:
            raise ValueError(f"{weights} is no SCRFD model with five key points")

    def find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image, (height, width, 3) uint8 RGB; surest first."""
        return turning.find(image, self._find, self._look, SURETY)

    def close(self) -> None:
        """Free the model."""
        del self._session

    def _find(self, image: Pixels) -> list[Face]:
        return search(image, self._look, LEVELS, SAME).faces()

    def _look(self, image: Pixels, side: int) -> Found:
        """Return what looks like a face at one size, in pixels of the image.

        For each stride the model gives scores (cells * ANCHORS, 1), the distances
        (…, 4) from a cell's corner to the left, upper, right and lower edge, and the
        points (…, 10) from there on, both by the stride.
        """
        pixels, scale = fit(image, side, STRIDES[-1])
        values = planes(pixels)
        values -= 127.5
        values /= 128
        outputs = self._session.run(None, {self._input: values})
        seen = []
        for stride, scores, edges, points in zip(
            STRIDES, outputs[:3], outputs[3:6], outputs[6:], strict=True
        ):
            (likely,) = np.nonzero(scores[..., 0].ravel() >= MIN_SCORE)
            cells = corners(likely // ANCHORS, pixels.shape[1], stride)
            distances = edges.reshape(-1, 4)[likely] * stride
            offsets = points.reshape(-1, 5, 2)[likely] * stride
            corner = (
                (cells - distances[:, :2]) * scale,
                (cells + distances[:, 2:]) * scale,
            )
            seen.append(
                Found(
                    np.hstack(corner),
                    scores[..., 0].ravel()[likely],
                    (cells[:, None] + offsets) * scale,
                )
            )
        return join(seen)
