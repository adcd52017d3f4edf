"""What Ultralytics' detectors have in common: how they look at an image, what they answer.

As Ultralytics does it (docs.ultralytics.com: `LetterBox`, `scale_boxes`, `nms`), except
that every class is looked for by itself: a box that may be of two is found for both.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.detect import detr
from dtst_flow.detect.base import MAX_BOXES, Detection, Detector, NotADetector
from dtst_flow.utils.array_types import Pixels, Vectors
from dtst_flow.utils.arrays import planes

GREY = 114
"""What surrounds an image in the field that a model sees."""

OVERLAP = 0.7
"""IoU of two boxes of one class from which the better one stands for both."""

MASK = 32
"""Numbers that models of task segment give for the mask of a box, after all others."""

CHOSEN = (6, 6 + MASK)
"""Lengths of the rows of boxes that a model chose. No field has just so many places for
boxes: 21 is the least, and 42 comes next."""


class YoloDetector(Detector):
    """Finds boxes in one image at a time; subclasses run the model.

    Args:
        names: All classes that the model finds, by their number.
        size: (height, width) of the field that the model sees.
        min_score: Lowest score of a box.
        is_detr: Whether it is an RT-DETR, and no YOLO.
    """

    def __init__(
        self,
        names: list[str],
        size: tuple[int, int],
        min_score: float,
        is_detr: bool = False,
    ):
        self.names = names
        self._place = detr.stretch if is_detr else letterbox
        self._decode = detr.decode if is_detr else decode
        self._size = size
        self._min_score = min_score

    def find(self, image: Pixels) -> list[Detection]:
        """Find what is in an upright image.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            At most MAX_BOXES detections, the best first; none whose box has no area
            inside the image.
        """
        field, scale, corner = self._place(image, self._size)
        pixels = planes(field)
        pixels /= 255
        output = self.run(pixels)
        boxes, scores, classes = self._decode(
            output, len(self.names), self._min_score, self._size
        )
        height, width = image.shape[:2]
        boxes = (boxes - np.tile(corner, 2)) / np.tile(scale, 2)
        boxes = boxes.clip(0, (width, height, width, height))
        best = np.argsort(-scores, kind="stable")
        has_area = (boxes[best, 2:] > boxes[best, :2]).all(axis=1)
        return [
            Detection(
                self.names[classes[i]], float(scores[i]), tuple(boxes[i].tolist())
            )
            for i in best[has_area][:MAX_BOXES]
        ]

    def run(self, pixels: Vectors) -> Vectors:
        """Run the model on one image.

        Args:
            pixels: (1, 3, height, width) float32, red, green, blue from 0 to 1.

        Returns:
            The model's float32 output, as `decode` takes it.
        """
        raise NotImplementedError


def letterbox(
    image: Pixels, size: tuple[int, int]
) -> tuple[Pixels, tuple[float, float], tuple[int, int]]:
    """Put an image into the middle of a grey field, as large as it fits.

    Args:
        image: (height, width, 3) uint8.
        size: (height, width) of the field.

    Returns:
        The field, its pixels for one of the image along x and y, and the position of
        the image's corner in it, (x, y).
    """
    import cv2

    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    fitted = max(1, round(width * scale)), max(1, round(height * scale))
    # Of an odd remainder the smaller half comes before the image.
    left, top = (size[1] - fitted[0]) // 2, (size[0] - fitted[1]) // 2
    field = np.full((*size, 3), GREY, np.uint8)
    inside = field[top : top + fitted[1], left : left + fitted[0]]
    if fitted == (width, height):
        inside[:] = image
    else:
        inside[:] = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
    return field, (fitted[0] / width, fitted[1] / height), (left, top)


def decode(
    output: Vectors, count: int, min_score: float, size: tuple[int, int]
) -> tuple[Vectors, Vectors, NDArray[np.int_]]:
    """Read a model's output for one image.

    Args:
        output: Either (n, 6 or 38), a row for every box that the model chose: x0, y0,
            x1, y1, score, class, ...; or (4 + count or 32 more, n), a column for every
            possible box: centre x, y, width, height, a score for every class, ...
        count: The number of classes.
        min_score: Lowest score of a box.
        size: (height, width) of the field, which is of no account here.

    Returns:
        Boxes (m, 4), corners in pixels of the field; their scores (m,); their classes
        (m,) by number.

    Raises:
        NotADetector: It is neither.
    """
    if output.ndim != 2 or (
        output.shape[1] not in CHOSEN and output.shape[0] - 4 - count not in (0, MASK)
    ):
        raise NotADetector(
            f"it answers with an array of {output.shape}, which is none of a detector "
            f"of {count} classes as Ultralytics exports it"
        )
    if output.shape[1] in CHOSEN:
        chosen = output[output[:, 4] >= min_score]
        return chosen[:, :4], chosen[:, 4], chosen[:, 5].astype(int)
    has_area = (output[2:4] > 0).all(axis=0)
    classes, places = np.nonzero((output[4 : 4 + count] >= min_score) & has_area)
    scores = output[4 + classes, places]
    x, y, width, height = output[:4, places]
    boxes = np.stack([x - width / 2, y - height / 2, width, height], axis=1)
    kept = _distinct(boxes, scores, classes)
    boxes[:, 2:] += boxes[:, :2]
    return boxes[kept], scores[kept], classes[kept]


def _distinct(
    boxes: Vectors, scores: Vectors, classes: NDArray[np.int_]
) -> NDArray[np.int_]:
    """Choose the boxes (x, y, width, height) that no better one of their class covers.

    Returns:
        Their indices, ascending.
    """
    import cv2

    if not len(boxes):
        return np.empty(0, int)
    suppress: Any = cv2.dnn.NMSBoxesBatched  # takes arrays; its stubs know lists only
    kept = suppress(boxes, scores, classes, 0.0, OVERLAP)
    return np.sort(np.asarray(kept, int).ravel())
