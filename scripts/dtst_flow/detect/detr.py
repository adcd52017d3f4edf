"""RT-DETR: an image is stretched to the field, and boxes are answered as shares of it.

Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection", 2024, as Ultralytics runs
them. Each thing has one box, so that none stands for others.
"""

import numpy as np
from numpy.typing import NDArray

from dtst_flow.detect.base import NotADetector
from dtst_flow.utils.array_types import Pixels, Vectors

HEAD = "RTDETRDecoder"
"""What Ultralytics calls the part of a network that answers."""


def stretch(
    image: Pixels, size: tuple[int, int]
) -> tuple[Pixels, tuple[float, float], tuple[int, int]]:
    """Stretch an image to the field; as `yolo.letterbox`."""
    import cv2

    height, width = image.shape[:2]
    field: Pixels = np.asarray(cv2.resize(image, size[::-1]), np.uint8)
    return field, (size[1] / width, size[0] / height), (0, 0)


def decode(
    output: Vectors, count: int, min_score: float, size: tuple[int, int]
) -> tuple[Vectors, Vectors, NDArray[np.int_]]:
    """Read a model's output for one image; returns what `yolo.decode` does.

    Args:
        output: A row for every box, centre x, y, width, height from 0 to 1, and either
            score and class, or, before Ultralytics 8.4, a score for every class.
        count: The number of classes.
        min_score: Lowest score of a box.
        size: (height, width) of the field.

    Raises:
        NotADetector: It is neither.
    """
    width = output.shape[1] if output.ndim == 2 else 0
    if width == 6 and _are_numbers(output[:, 5], count):
        rows = np.flatnonzero(output[:, 4] >= min_score)
        scores, classes = output[rows, 4], output[rows, 5].astype(int)
    elif width == 4 + count:
        rows, classes = np.nonzero(output[:, 4:] >= min_score)
        scores = output[rows, 4 + classes]
    else:
        raise NotADetector(
            f"it answers with an array of {output.shape}, which is none of RT-DETR's"
        )
    centre, half = output[rows, :2], output[rows, 2:4] / np.float32(2)
    whole = np.array([*size[::-1]] * 2, np.float32)
    boxes: Vectors = np.hstack([centre - half, centre + half]) * whole
    return boxes, scores, classes


def _are_numbers(values: Vectors, count: int) -> bool:
    """Whether values are numbers of classes, and not scores."""
    whole = (values == values.round()).all()
    return bool(whole and (values >= 0).all() and (values < count).all())
