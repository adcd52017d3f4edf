"""How good a face is, from its five points, its score and its sharpness.

The metrics of a face, by the names that they have in the sidecar of its crop:

face_size   pixels between the eyes, in the photo
sharpness   see `sharpness.sharpness`
yaw         degrees that it is turned, positive to the viewer's right
pitch       degrees that it looks up, negative down
roll        degrees that its eyes are from level, positive clockwise
score       the engine's
quality     0 to 1, see `quality`
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dtst_flow.faces.base import Face
from dtst_flow.utils.array_types import Positions

Metrics = dict[str, float]
"""Name -> value."""

LIMITS = {"min_size": "face_size", "min_score": "score", "min_quality": "quality"}
"""Setting -> the metric of which it is the least value."""

MODEL = np.array(
    [
        (-3.18, 2.64, 3.66),
        (3.18, 2.64, 3.66),
        (0.0, -0.80, 7.53),
        (-2.46, -4.34, 4.28),
        (2.46, -4.34, 4.28),
    ]
)
"""The five points of a face in centimetres: x to the viewer's right, y up, z to the viewer.

From MediaPipe's canonical face model (geometry_pipeline_metadata_landmarks.binarypb in
face_landmarker.task; Apache-2.0): the means of six vertices of each eye (33 160 158 133 153
144 and 362 385 387 263 373 380), of the two at the tip of the nose (1 4), and the corners of
the mouth (61 291). With that tip the mean face to which ArcFace's models align looks
straight ahead.
"""

FIT = np.linalg.pinv(MODEL - MODEL.mean(axis=0))
"""Points, from their middle -> the closest affine view of MODEL, by least squares."""

SIZE_SCALE = 16.0
"""Pixels between the eyes at which size counts for 1 - 1/e."""

SHARPNESS_SCALE = 0.12
"""Sharpness that counts for 1 - 1/e."""


def pose(points: ArrayLike) -> tuple[float, float, float]:
    """Estimate how a face is turned, by weak perspective.

    The affine view of MODEL that is closest to the points by least squares, and the
    rotation that is closest to that view. Roll is taken last, so yaw and pitch do not
    depend on how the photo is turned.

    Args:
        points: Five (x, y) as in Face.points.

    Returns:
        (yaw, pitch, roll) in degrees, with the signs of the module's table.
    """
    positions = np.asarray(points, np.float64) * (1, -1)
    view = (FIT @ (positions - positions.mean(axis=0))).T
    left, _, right = np.linalg.svd(view, full_matrices=False)
    x, y = left @ right
    z = np.cross(x, y)
    yaw = math.asin(min(1.0, max(-1.0, -z[0])))
    pitch = math.atan2(-z[1], z[2])
    roll = math.atan2(-y[0], x[0])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def quality(metrics: Mapping[str, float]) -> float:
    """Sum a face's metrics up to one number.

    quality = size · sharpness · frontality · score, each from 0 to 1:
    size        1 - exp(-face_size / 16)
    sharpness   1 - exp(-(sharpness / 0.12)²)
    frontality  cos(yaw) · cos(pitch), at least 0
    score       the engine's, cut to 0 to 1

    The scales are where portraits that are blurred or shrunk step by step become unlike
    the person's others to a model of identity; tests/benchmarks/face_quality.py shows it.

    Args:
        metrics: All but the quality.
    """
    size = 1 - math.exp(-metrics["face_size"] / SIZE_SCALE)
    sharpness = 1 - math.exp(-((metrics["sharpness"] / SHARPNESS_SCALE) ** 2))
    yaw, pitch = math.radians(metrics["yaw"]), math.radians(metrics["pitch"])
    frontality = max(0.0, math.cos(yaw) * math.cos(pitch))
    return size * sharpness * frontality * min(1.0, max(0.0, metrics["score"]))


def measure(points: ArrayLike, score: float, sharpness: float) -> Metrics:
    """Return all metrics of a face, rounded as sidecars have them.

    Args:
        points: Five (x, y) as in Face.points, in pixels of the photo.
        score: The engine's.
        sharpness: What `sharpness.sharpness` gives for the face.
    """
    positions: Positions = np.asarray(points, np.float64)
    # Plus 0.0, as a sidecar that says -0.0 is no beauty.
    yaw, pitch, roll = (round(angle, 1) + 0.0 for angle in pose(positions))
    metrics = {
        "face_size": round(math.dist(*positions[:2]), 1),
        "sharpness": sharpness,
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "score": score,
    }
    return {**metrics, "quality": round(quality(metrics), 3)}


class RankedFace(NamedTuple):
    """A face of an image, and how good it is.

    Attributes:
        rank: Its place among the faces of the image, the largest first; the number of its
            crop, whatever is left out.
        face: Box, score and points.
        metrics: What `measure` returns.
    """

    rank: int
    face: Face
    metrics: Metrics

    @classmethod
    def of(cls, rank: int, known: dict[str, Any]) -> "RankedFace":
        """Take a face from its image's record."""
        box, score, points = known["box"], known["score"], known["points"]
        metrics = measure(points, score, known["sharpness"])
        return cls(rank, Face(box, score, points, known["turned"]), metrics)


def missed_limit(metrics: Mapping[str, float], settings: Mapping[str, Any]) -> str:
    """Name the first of LIMITS that a face does not reach; "" if it reaches all.

    Args:
        metrics: Those of the face.
        settings: The value of each limit, None for none.
    """
    for setting, metric in LIMITS.items():
        least = settings[setting]
        if least is not None and metrics[metric] < least:
            return setting
    return ""
