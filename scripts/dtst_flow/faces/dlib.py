"""dlib: frontal faces by its HOG detector, five points from its 68 landmarks.

King, "Dlib-ml: A Machine Learning Toolkit", 2009; Kazemi and Sullivan, "One
Millisecond Face Alignment with an Ensemble of Regression Trees", 2014.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dtst_flow.faces.base import Face
from dtst_flow.utils.array_types import Pixels, Positions

if TYPE_CHECKING:
    from dlib import rectangle as Rectangle

MAX_PIXELS = 4_000_000
"""Larger images are shrunk to this many pixels for detection.

Upsampled once, a million pixels takes a quarter of a second and 50 MB. At four
million a face of 40 pixels, the least the detector finds, is one of 70 pixels in a
photo of 12 million and of 100 in one of 24 million.
"""

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
        """Find the faces of an upright image, (height, width, 3) uint8 RGB."""
        small, scale = _shrink(image)
        rectangles, scores, _ = self._detector.run(small, 1, 0.0)
        return [
            self._face(image, _scaled(rectangle, scale), score)
            for rectangle, score in zip(rectangles, scores, strict=True)
        ]

    def close(self) -> None:
        """Free the models."""
        del self._detector, self._predictor

    def _face(self, image: Pixels, rectangle: Rectangle, score: float) -> Face:
        """Place the points of a detected face, at the image's full resolution."""
        shape = self._predictor(image, rectangle)
        # dlib counts from the centre of the first pixel and includes the last one.
        landmarks = np.array([(p.x, p.y) for p in shape.parts()]) + 0.5
        return Face(
            box=(
                float(rectangle.left()),
                float(rectangle.top()),
                float(rectangle.right() + 1),
                float(rectangle.bottom() + 1),
            ),
            score=score,
            points=five_points(landmarks),
        )


def five_points(landmarks: Positions) -> tuple[tuple[float, float], ...]:
    """Reduce 68 landmarks (68, 2) to the five of `Face`.

    An eye is the mean of its outline.
    """
    eyes = [landmarks[eye].mean(axis=0) for eye in EYES]
    points = [*eyes, landmarks[NOSE_TIP], *landmarks[list(MOUTH_CORNERS)]]
    return tuple((float(x), float(y)) for x, y in points)


def _shrink(image: Pixels) -> tuple[Pixels, tuple[float, float]]:
    """Shrink an image to at most MAX_PIXELS.

    Returns:
        The small image, and the (width, height) of its pixels in pixels of the image.
    """
    height, width = image.shape[:2]
    factor = (MAX_PIXELS / (width * height)) ** 0.5
    if factor >= 1:
        return image, (1.0, 1.0)
    size = max(1, int(width * factor)), max(1, int(height * factor))
    small = Image.fromarray(image).resize(size, Image.Resampling.BOX)
    return np.asarray(small), (width / size[0], height / size[1])


def _scaled(rectangle: Rectangle, scale: tuple[float, float]) -> Rectangle:
    """Bring a rectangle of the shrunk image to pixels of the image."""
    import dlib

    x, y = scale
    return dlib.rectangle(
        round(rectangle.left() * x),
        round(rectangle.top() * y),
        round((rectangle.right() + 1) * x) - 1,
        round((rectangle.bottom() + 1) * y) - 1,
    )
