"""What YOLO detectors have in common: how they look at an image, what they answer.

As Ultralytics does it (docs.ultralytics.com: `LetterBox`, `scale_boxes`, `nms`), except
that every class is looked for by itself: a box that may be of two is found for both.
"""

import numpy as np

from dtst_flow.detect.base import LIMIT, Detector, Found

GREY = 114
"""What surrounds an image in the field that a model sees."""

OVERLAP = 0.7
"""IoU from which of two boxes of one class the better stands for both."""

CHOSEN = (6, 38)
"""Lengths of the rows of boxes that a model chose: of detectors, and of those that go on
with 32 numbers for a mask. No field has so few places for boxes: 21 is the least."""


class YoloDetector(Detector):
    """Finds boxes in one image at a time; what runs the model is left open.

    size   (height, width) of the field that the model sees
    least  lowest score of a box
    """

    def __init__(self, names: list[str], size: tuple[int, int], least: float):
        self.names = names
        self._size = size
        self._least = least

    def find(self, image: np.ndarray) -> list[Found]:
        """Return what is in an upright RGB image (height, width, 3) uint8, best first.

        Boxes of which nothing lies inside the image are left out.
        """
        field, scale, corner = letterbox(image, self._size)
        pixels = field.transpose(2, 0, 1)[None] / np.float32(255)
        boxes, scores, classes = decode(self.run(pixels), len(self.names), self._least)
        height, width = image.shape[:2]
        boxes = (boxes - np.tile(corner, 2)) / np.tile(scale, 2)
        boxes = boxes.clip(0, (width, height, width, height))
        best = np.argsort(-scores, kind="stable")
        area = (boxes[best, 2:] > boxes[best, :2]).all(axis=1)
        return [
            Found(self.names[classes[i]], float(scores[i]), tuple(boxes[i].tolist()))
            for i in best[area][:LIMIT]
        ]

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Return the model's float32 output, as `decode` takes it.

        pixels  (1, 3, height, width) float32, red, green, blue from 0 to 1
        """
        raise NotImplementedError


def letterbox(
    image: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, tuple[float, float], tuple[int, int]]:
    """Lay an image into the middle of a grey field, as large as it fits.

    image  (height, width, 3) uint8
    size   (height, width) of the field

    Returns the field, its pixels for one of the image along x and y, and where in it the
    image's corner lies, (x, y).
    """
    import cv2

    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    fitted = max(1, round(width * scale)), max(1, round(height * scale))
    if fitted != (width, height):
        image = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
    # Of an odd remainder the smaller half comes before the image.
    left, top = (size[1] - fitted[0]) // 2, (size[0] - fitted[1]) // 2
    field = np.full((*size, 3), GREY, np.uint8)
    field[top : top + fitted[1], left : left + fitted[0]] = image
    return field, (fitted[0] / width, fitted[1] / height), (left, top)


def decode(
    output: np.ndarray, count: int, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a model's output for one image.

    output  float32. Either (n, 6 or 38), a row for every box that the model chose: x0,
            y0, x1, y1, score, class, ...; or (4 + count or more, n), a column for every
            box there might be: centre x, y, width, height, a score for every class, ...
    count   of the classes
    least   lowest score of a box

    Returns boxes (m, 4), corners in pixels of the field, scores (m,), classes (m,) int.
    """
    if output.shape[1] in CHOSEN:
        chosen = output[output[:, 4] >= least]
        return chosen[:, :4], chosen[:, 4], chosen[:, 5].astype(int)
    has_area = (output[2:4] > 0).all(axis=0)
    classes, places = np.nonzero((output[4 : 4 + count] >= least) & has_area)
    scores = output[4 + classes, places]
    x, y, width, height = output[:4, places]
    boxes = np.stack([x - width / 2, y - height / 2, width, height], axis=1)
    kept = _distinct(boxes, scores, classes)
    boxes[:, 2:] += boxes[:, :2]
    return boxes[kept], scores[kept], classes[kept]


def _distinct(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Indices of the boxes (x, y, width, height) that no better one of their class covers."""
    import cv2

    if not len(boxes):
        return np.empty(0, int)
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, classes, 0.0, OVERLAP)
    return np.sort(np.asarray(kept, int).ravel())
