"""Faces of photos that stand on their head or lie on their side without saying so.

Detectors find some of those, too, but with points that are wrong and with low scores.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np

from dtst_flow.faces.base import Box, Face
from dtst_flow.faces.detection import fit
from dtst_flow.faces.search import Look
from dtst_flow.utils.array_types import Pixels, Positions

Find = Callable[[Pixels], list[Face]]
"""Finds the faces of an image as it stands."""

SIDE = 320
"""Long side in pixels at which a photo is looked at turned, if nothing was found in it."""

AROUND, AROUND_SIDE = 7, 280
"""Where something was found, a square of so many sides of the surest face is looked at, and
at so many pixels, so that the face is large enough to be seen whatever the size of the
photo, and little else is looked at."""


class Surety(NamedTuple):
    """What a detector's scores say of how a photo stands.

    Chosen with tests/benchmarks/face_recall.py.

    Attributes:
        upright: A photo whose surest face has this score stands upright.
        turned: One turned otherwise has to show a face of this score.
    """

    upright: float
    turned: float


def find(image: Pixels, as_it_stands: Find, look: Look, surety: Surety) -> list[Face]:
    """Find the faces of an image, turned by quarters if it shows surer ones then.

    Only an image without a sure face is looked at thrice more, small.

    Args:
        image: (height, width, 3) uint8 RGB.
        as_it_stands: Finds its faces.
        look: The detector of `as_it_stands`.
        surety: Of this detector.

    Returns:
        The faces, in pixels of the image.
    """
    faces = as_it_stands(image)
    best = _best(faces)
    if best >= surety.upright:
        return faces
    side = AROUND_SIDE if faces else SIDE
    small, _ = fit(_around(image, faces), side, 1)
    scores = {
        quarters: look(turn(small, quarters), side).scores.max(initial=0)
        for quarters in (1, 2, 3)
    }
    quarters = max(scores, key=lambda quarters: scores[quarters])
    if scores[quarters] < surety.turned or scores[quarters] <= best:
        return faces
    turned = turn(image, quarters)
    surer = as_it_stands(turned)
    if _best(surer) <= best:
        return faces
    height, width = turned.shape[:2]
    return [back(face, quarters, height, width) for face in surer]


def turn(image: Pixels, quarters: int) -> Pixels:
    """Turn an image clockwise by so many quarters."""
    return np.rot90(image, -quarters).copy()


def back(face: Face, quarters: int, height: int, width: int) -> Face:
    """Bring a face of a turned image to the pixels of the image.

    Args:
        face: In pixels of the turned image.
        quarters: By how many the image was turned clockwise.
        height: Of the turned image.
        width: Of the turned image.
    """
    positions = np.array([face.box[:2], face.box[2:], *face.points], np.float64)
    for _ in range(quarters):
        positions = np.stack([positions[:, 1], width - positions[:, 0]], axis=1)
        height, width = width, height
    corners, points = positions[:2], positions[2:]
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return dataclasses.replace(
        face,
        box=cast(Box, tuple(box.tolist())),
        points=tuple(map(tuple, points.tolist())),
        turned=90 * quarters,
    )


def _around(image: Pixels, faces: list[Face]) -> Pixels:
    """Return what an image shows around its surest face, all of it if there is none."""
    if not faces:
        return image
    box: Positions = np.array(max(faces, key=lambda face: face.score).box)
    half = AROUND / 2 * (box[2:] - box[:2]).max()
    centre = (box[:2] + box[2:]) / 2
    last = np.array(image.shape[1::-1]) - 1
    left, top = (centre - half).clip(0, last).astype(int)
    right, bottom = np.ceil(centre + half).astype(int).clip([left + 1, top + 1])
    return image[top:bottom, left:right]


def _best(faces: list[Face]) -> float:
    return max((face.score for face in faces), default=0.0)
