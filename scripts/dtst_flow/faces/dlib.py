"""dlib: frontal faces by its HOG detector, five points from its 68 landmarks.

King, "Dlib-ml: A Machine Learning Toolkit", 2009; Kazemi and Sullivan, "One
Millisecond Face Alignment with an Ensemble of Regression Trees", 2014.
"""

from pathlib import Path
from typing import cast

import numpy as np

from dtst_flow.faces import turning
from dtst_flow.faces.base import Box, Face
from dtst_flow.faces.detection import Found, fit
from dtst_flow.faces.search import Levels, search
from dtst_flow.faces.turning import Surety
from dtst_flow.utils.array_types import Pixels, Positions

MAX_PIXELS = 4_000_000
"""Larger photos are shrunk to this many pixels to be looked at whole.

Upsampled once, a million pixels takes a quarter of a second and 50 MB. At four
million a face of 40 pixels, the least the detector finds, is one of 70 pixels in a
photo of 12 million and of 100 in one of 24 million.
"""

SHRINKS = 4
"""So many pixels of a photo in a row become one, at most, when it is looked at closer."""

TILE = 2000
"""Longest side in pixels of what is looked at closer, at MAX_PIXELS likewise."""

SHARED = 256
"""What such tiles share, in pixels."""

SURETY = Surety(upright=0.5, turned=0.5)

SAME = 0.45
"""Overlap (intersection over union) that makes two boxes one face."""

EYES = slice(36, 42), slice(42, 48)
NOSE_TIP = 30
MOUTH_CORNERS = 48, 54
"""Landmarks of the iBUG 68-point scheme; a 'left' one is the viewer's left."""


class DlibEngine:
    """Finds faces of 40 pixels and more.

    Args:
        weights: The file of the 68-point shape predictor.
    """

    def __init__(self, weights: Path):
        import dlib

        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(weights))

    def find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image, (height, width, 3) uint8 RGB; surest first."""
        return turning.find(image, self._find, self._look, SURETY)

    def _find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image as it stands."""
        levels = Levels([_whole(image)], SHRINKS, TILE, SHARED)
        boxes, scores, _ = search(image, self._look, levels, SAME)
        return [
            self._face(image, box, score)
            for box, score in zip(boxes.round().tolist(), scores.tolist(), strict=True)
        ]

    def close(self) -> None:
        """Free the models."""
        del self._detector, self._predictor

    def _look(self, image: Pixels, side: int) -> Found:
        """Return what looks like a face at one size, in pixels of the image."""
        small, scale = fit(image, side, 1)
        rectangles, scores, _ = self._detector.run(small, 1, 0.0)
        # dlib includes the last pixel.
        boxes = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles]
        return Found(
            np.array(boxes, float).reshape(-1, 4) * np.tile(scale, 2),
            np.array(scores),
            np.empty((len(boxes), 0, 2)),
        )

    def _face(self, image: Pixels, box: list[float], score: float) -> Face:
        """Place the points of a detected face, at the image's full resolution."""
        import dlib

        left, top, right, bottom = map(int, box)
        rectangle = dlib.rectangle(left, top, right - 1, bottom - 1)
        shape = self._predictor(image, rectangle)
        # dlib counts from the centre of the first pixel.
        landmarks = np.array([(p.x, p.y) for p in shape.parts()]) + 0.5
        return Face(cast(Box, tuple(box)), score, five_points(landmarks))


def five_points(landmarks: Positions) -> tuple[tuple[float, float], ...]:
    """Reduce 68 landmarks (68, 2) to the five of `Face`.

    An eye is the mean of its outline.
    """
    eyes = [landmarks[eye].mean(axis=0) for eye in EYES]
    points = [*eyes, landmarks[NOSE_TIP], *landmarks[list(MOUTH_CORNERS)]]
    return tuple((float(x), float(y)) for x, y in points)


def _whole(image: Pixels) -> int:
    """Return the long side at which a photo has at most MAX_PIXELS, in pixels."""
    height, width = image.shape[:2]
    factor = (MAX_PIXELS / (width * height)) ** 0.5
    return max(1, int(max(width, height) * min(1.0, factor)))
