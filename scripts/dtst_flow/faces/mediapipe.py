"""mediapipe: YuNet finds the faces, MediaPipe's face mesh places their points.

The mesh comes out of the bundle of MediaPipe's face landmarker, as does BlazeFace, which
finds faces for those who have nothing but the bundle. BlazeFace looks at the whole photo,
128 pixels wide, and so overlooks what is small or far away.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dtst_flow.faces import alignment, blazeface, turning, yunet
from dtst_flow.faces.base import Face
from dtst_flow.faces.blazeface import BlazeFace
from dtst_flow.faces.detection import Floats
from dtst_flow.faces.tflite import open_model
from dtst_flow.faces.yunet import YunetEngine
from dtst_flow.utils.array_types import Pixels, Positions

DETECTOR = "face_detector.tflite"
MESH = "face_landmarks_detector.tflite"

MESH_SIDE = 256
"""Side in pixels of what the face mesh looks at."""

MESH_VIEW = 1.5
"""Side of that view by BlazeFace's of the face, as in MediaPipe's face landmarker."""


class Framing(NamedTuple):
    """Where BlazeFace's square of a face is, by a detector's box.

    Attributes:
        side: By the geometric mean of the box's sides.
        down: How far its centre is below that of the box, along the face, by the box's
            height.
    """

    side: float
    down: float


YUNETS = Framing(0.97, 0.088)
"""Medians over 295 faces that both find. The mesh's five points then differ from those of
MediaPipe's own face landmarker by 1 % of the face's size, its mean over these faces."""

BLAZEFACES = Framing(1.0, 0.0)

EYES = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
"""Mesh vertices of the viewer's left and right eye: corners and lids, as in the iBUG
68-point scheme. FFHQ takes their mean; unlike the iris it stays when the gaze moves."""

NOSE_TIP = 4
MOUTH_CORNERS = 61, 291
"""Mesh vertices, the outer mouth corner on the viewer's left first."""


class MediapipeEngine:
    """Finds faces; boxes and scores are those of the detector.

    Args:
        weights: The bundle, face_landmarker.task.
        detector: YuNet's model; without it BlazeFace finds the faces.

    Raises:
        ValueError: The file is not such a bundle, or the detector not YuNet's.
    """

    def __init__(self, weights: Path, detector: Path | None = None):
        try:
            with zipfile.ZipFile(weights) as bundle:
                finder, mesh = bundle.read(DETECTOR), bundle.read(MESH)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"{weights} is no face landmarker: {error}") from error
        self._detector: YunetEngine | BlazeFace
        if detector:
            self._detector, self._framing = YunetEngine(detector), YUNETS
            self._surety = yunet.SURETY
        else:
            self._detector, self._framing = BlazeFace(finder), BLAZEFACES
            self._surety = blazeface.SURETY
        self._mesh = open_model(mesh, zero=0, scale=255)

    def find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image, (height, width, 3) uint8 RGB; surest first."""
        return turning.find(image, self._find, self._detector.look, self._surety)

    def close(self) -> None:
        """Free the models."""
        self._detector.close()
        self._mesh.close()

    def _find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image as it stands."""
        boxes, scores, points = self._detector.detect(image)
        return [
            Face(
                box=tuple(box.tolist()),
                score=float(score),
                points=five_points(
                    self._vertices(image, frame(box, eyes, self._framing))
                ),
            )
            for box, score, (*eyes, _, _, _) in zip(
                boxes, scores, points[:, :5], strict=True
            )
        ]

    def _vertices(self, image: Pixels, square: Positions) -> Floats:
        """Return the mesh of a face in pixels of the photo, (478, 2).

        Args:
            image: The photo.
            square: The corners (4, 2) of what the mesh is to look at.
        """
        vertices, *_ = self._mesh(_view(image, square, MESH_SIDE))
        fractions = vertices.reshape(-1, 3)[:, :2] / MESH_SIDE
        across, down = square[3] - square[0], square[1] - square[0]
        placed: Floats = square[0] + fractions @ np.stack([across, down])
        return placed


def frame(box: Floats, eyes: list[Floats], framing: Framing) -> Positions:
    """Return the square that the mesh looks at, turned as the eyes are.

    Args:
        box: (4,) x0, y0, x1, y1 of the face.
        eyes: (x, y) of the eye on the viewer's left, and of the one on the right.
        framing: Of the box's detector.

    Returns:
        Its corners (4, 2) in the order of `alignment.quad`.
    """
    size = (box[2:] - box[:2]).astype(np.float64)
    axis = (eyes[1] - eyes[0]).astype(np.float64)
    length = np.hypot(*axis)
    right = axis / length if length else np.array([1.0, 0.0])
    below = np.array([-right[1], right[0]])
    centre = (box[:2] + box[2:]) / 2 + below * (framing.down * size[1])
    half = MESH_VIEW * framing.side * np.sqrt(size.prod()) / 2
    return alignment.square(centre, right * half)


def five_points(vertices: Floats) -> tuple[tuple[float, float], ...]:
    """Reduce a face mesh (478, 2) to the five points of `Face`."""
    eyes = [vertices[list(eye)].mean(axis=0) for eye in EYES]
    points = [*eyes, vertices[NOSE_TIP], *vertices[list(MOUTH_CORNERS)]]
    return tuple((float(x), float(y)) for x, y in points)


def _view(image: Pixels, square: Positions, side: int) -> Pixels:
    """Cut a square out of the photo at a fixed size; outside the photo it is black."""
    shrink = min(int(alignment.side(square) / side), *image.shape[:2])
    if shrink > 1:
        image, square = alignment.shrunk(image, square, shrink)
    return alignment.sample(image, square, side, mirrored=False)
