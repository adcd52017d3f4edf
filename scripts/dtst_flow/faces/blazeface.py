"""BlazeFace: faces that can be seen in a photo of 128 pixels, by MediaPipe's own detector.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs",
2019. It sees faces from about a tenth of the photo's side on.
"""

import numpy as np

from dtst_flow.faces.detection import Floats, Found, fit, suppress
from dtst_flow.faces.tflite import open_model
from dtst_flow.faces.turning import Surety
from dtst_flow.utils.array_types import Pixels

SIDE = 128
"""Side in pixels of what BlazeFace looks at."""

GRIDS = ((16, 2), (8, 6))
"""Its grids: cells along a side, and faces that each cell can report."""

MIN_SCORE = 2 / 3
"""Score from which something is a face, by tests/benchmarks/face_recall.py."""

SURETY = Surety(upright=0.75, turned=0.85)

SAME = 0.3
"""Overlap (intersection over union) that makes two boxes one face, as in MediaPipe's."""


class BlazeFace:
    """Finds faces; a box is an upright square from the forehead to the chin.

    Args:
        content: Of the model's file.
    """

    def __init__(self, content: bytes):
        self._model = open_model(content, zero=127.5, scale=127.5)

    def detect(self, image: Pixels) -> Found:
        """Find the faces of an image as it stands, (height, width, 3) uint8 RGB; surest first.

        Their points are six: the eyes on the viewer's left and right, the tip of the
        nose, the middle of the mouth, the ears.
        """
        pixels, scale = fit(image, SIDE, SIDE)
        found = decode(*self._model(pixels))
        found = found.pick(found.scores >= MIN_SCORE)
        scaled = Found(
            found.boxes * np.tile(scale, 2), found.scores, found.points * scale
        )
        return suppress(scaled, SAME)

    def look(self, image: Pixels, _: int) -> Found:
        """Find faces as `detect` does: BlazeFace looks at one size only."""
        return self.detect(image)

    def close(self) -> None:
        """Free the model."""
        self._model.close()


def decode(boxes: Floats, logits: Floats) -> Found:
    """Read what BlazeFace returns; the result is in pixels of what it looked at.

    Args:
        boxes: (896 * 16,) in such pixels: for each anchor the (x, y) of centre, size, and
            six points; except the size, they are relative to the anchor.
        logits: (896,) how sure it is, 0 is even odds.
    """
    pairs = boxes.reshape(-1, 8, 2)
    middles = ANCHORS + pairs[:, 0]
    half = pairs[:, 1].mean(axis=1, keepdims=True) / 2
    return Found(
        np.hstack([middles - half, middles + half]),
        1 / (1 + np.exp(-logits.clip(-80, 80))),
        ANCHORS[:, None] + pairs[:, 2:],
    )


def _anchors() -> Floats:
    """Return the centres (896, 2) of BlazeFace's anchors in pixels."""
    grids = []
    for cells, faces in GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres = (np.stack([x, y], axis=1) + 0.5) * (SIDE / cells)
        grids.append(np.repeat(centres, faces, axis=0))
    return np.concatenate(grids)


ANCHORS = _anchors()
