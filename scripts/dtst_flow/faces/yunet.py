"""YuNet: faces of any size with five points, by a model of 75,000 parameters.

Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research, 2023. The model comes from the authors' training repository; it takes BGR in
0..255 as it is, in a size whose sides are multiples of 32.
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

LEVELS = Levels(whole=(192, 640))
"""YuNet sees faces of about 10 to 300 pixels: at 640 those of a photo, at 192 those that
fill half of it or all."""

MIN_SCORE = 0.74
"""Score from which something is a face, see tests/benchmarks/face_recall.py."""

SURETY = Surety(upright=0.92, turned=0.85)

SAME = 0.45
"""Overlap (intersection over union) that makes two boxes one face, as its authors have it."""

BGR = (2, 1, 0)
"""The channels of RGB in the order in which YuNet takes them."""

HEADS = ("cls", "obj", "bbox", "kps")


class YunetEngine:
    """Finds faces with YuNet.

    A box reaches from the forehead to the chin. A score is a probability, from
    MIN_SCORE to 1.

    Args:
        weights: The model, an ONNX file that takes images of any size.

    Raises:
        ValueError: It is no such model.
    """

    def __init__(self, weights: Path):
        self._session = open_session(weights)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [f"{head}_{stride}" for stride in STRIDES for head in HEADS]
        if not {output.name for output in self._session.get_outputs()} >= set(
            self._outputs
        ):
            raise ValueError(f"{weights} is no model of YuNet")

    def find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image, (height, width, 3) uint8 RGB; surest first."""
        return turning.find(
            image, lambda image: self.detect(image).faces(), self.look, SURETY
        )

    def detect(self, image: Pixels) -> Found:
        """Find the faces of an image as it stands, surest first."""
        return search(image, self.look, LEVELS, SAME)

    def close(self) -> None:
        """Free the model."""
        del self._session

    def look(self, image: Pixels, side: int) -> Found:
        """Return what looks like a face at one size, in pixels of the image."""
        pixels, scale = fit(image, side, STRIDES[-1])
        values = planes(pixels, BGR)
        outputs = iter(self._session.run(self._outputs, {self._input: values}))
        seen = []
        for stride in STRIDES:
            classes, objects, boxes, points = (next(outputs)[0] for _ in HEADS)
            scores = np.sqrt(classes[:, 0].clip(0, 1) * objects[:, 0].clip(0, 1))
            (likely,) = np.nonzero(scores >= MIN_SCORE)
            cells = corners(likely, pixels.shape[1], stride)
            middle = cells + boxes[likely, :2] * stride
            half = np.exp(boxes[likely, 2:]) * stride / 2
            corner = (middle - half) * scale, (middle + half) * scale
            offsets = points[likely].reshape(-1, 5, 2) * stride
            seen.append(
                Found(
                    np.hstack(corner),
                    scores[likely],
                    (cells[:, None] + offsets) * scale,
                )
            )
        return join(seen)
