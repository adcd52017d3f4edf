"""SCRFD: faces of any size with five points, by InsightFace's detector.

Guo, Deng, Lattas, Zafeiriou, "Sample and Computation Redistribution for Efficient
Face Detection", 2021.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dtst_flow.faces.base import Face
from dtst_flow.models.onnx import open_session
from dtst_flow.utils.array_types import Pixels

SIDES = (640, 320)
"""Sides in pixels of the squares an image is shrunk or enlarged to.

640 is the size SCRFD was made for, but there it overlooks a face that fills the
image; at 320 it sees that one.
"""


class ScrfdEngine:
    """Finds faces with any SCRFD model that has five key points.

    Args:
        weights: The model, an ONNX file.

    Raises:
        ValueError: The model has no five key points.
    """

    def __init__(self, weights: Path):
        from insightface.model_zoo.scrfd import SCRFD

        self._detector = SCRFD(str(weights), open_session(weights))
        if not self._detector.use_kps:
            raise ValueError(f"{weights} is no SCRFD model with five key points")

    def find(self, image: Pixels) -> list[Face]:
        """Find the faces of an upright image, (height, width, 3) uint8 RGB."""
        detections = [self._detect(image, side) for side in SIDES]
        boxes, points = map(np.concatenate, zip(*detections, strict=True))
        surest = np.argsort(-boxes[:, 4], kind="stable")
        boxes, points = boxes[surest], points[surest]
        return [
            Face(
                box=tuple(boxes[i, :4].tolist()),
                score=float(boxes[i, 4]),
                points=tuple(map(tuple, points[i].tolist())),
            )
            for i in self._detector.nms(boxes)
        ]

    def close(self) -> None:
        """Free the model."""
        del self._detector

    def _detect(
        self, image: Pixels, side: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Show the detector an image in a square of one size.

        Returns:
            Boxes with scores (n, 5) and points (n, 5, 2), in pixels of the image.
        """
        square, scale = _fit(image, side)
        boxes, points = self._detector.detect(square, input_size=(side, side))
        boxes[:, :4] *= np.tile(scale, 2)
        return boxes, points * scale


def _fit(image: Pixels, side: int) -> tuple[Pixels, NDArray[np.float32]]:
    """Put an image into the top left corner of a black square, as large as it fits.

    Returns:
        The square in BGR, as the detector takes it, and the image's (width, height)
        in pixels for one pixel of the square.
    """
    import cv2

    size = np.array(image.shape[1::-1])
    fitted = np.rint(size * (side / size.max())).astype(int).clip(1)
    width, height = fitted.tolist()
    shrinks = fitted[0] < size[0]
    small = cv2.resize(
        image,
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    square = np.zeros((side, side, 3), np.uint8)
    square[:height, :width] = small[..., ::-1]
    return square, (size / fitted).astype(np.float32)
