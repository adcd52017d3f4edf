"""From which length of its vector on a face can be told from others, for any model.

ArcFace's models give faces that say little short vectors. How short differs from model to
model, so each is tried on drawn faces that get smaller step by step: the floor is the mean
length at the size at which they are as much like one another as like themselves. This comes
near to what photos of people give, made smaller likewise: 15.4 by drawn faces and 16.6 to
17.2 by photos, of a MobileFaceNet that gives labelled junk 9 to 15.
"""

import numpy as np
from PIL import Image

from dtst_flow.embed.base import Embedder, Prepared, Sample
from dtst_flow.embed.drawn import draw
from dtst_flow.utils.array_types import Pixels, Vectors

FACES = 16
"""Drawn faces that are compared; twice or four times as many change the floor by 1 %."""

SIDES = (40, 32, 28, 24, 20, 18, 16, 14, 13, 12, 11, 10, 9, 8)
"""Sides in pixels to which faces are made smaller."""

SHORTER = 0.85
"""The floor as a share of the length of sharp faces, at most, for length to tell anything.
It is 0.74 for that MobileFaceNet."""


def floor_of(embedder: Embedder) -> float | None:
    """Find the length below which a model's vectors tell nobody.

    Args:
        embedder: One that takes faces aligned as ArcFace does.

    Returns:
        The length, four significant digits, so that it is the same wherever it is
        computed; None if the model's lengths do not tell.
    """
    faces = [draw(number) for number in range(FACES)]
    sharp, lengths = embedder.compute(_prepared(embedder, faces))
    usual = float(lengths.mean())
    above, below = (1.0, usual), (0.0, usual)
    first, last = 0, len(SIDES)
    while first < last:  # the margin falls with the side
        middle = (first + last) // 2
        small = [shrink(face, SIDES[middle]) for face in faces]
        rows, lengths = embedder.compute(_prepared(embedder, small))
        found = _margin(rows, sharp), float(lengths.mean())
        if found[0] > 0:
            above, first = found, middle + 1
        else:
            below, last = found, middle
    share = above[0] / (above[0] - below[0])
    floor = above[1] + (below[1] - above[1]) * share
    return float(f"{floor:.4g}") if floor < SHORTER * usual else None


def shrink(face: Pixels, side: int) -> Pixels:
    """Make a face as small as a side, and as large as it was again."""
    small = Image.fromarray(face).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small.resize(face.shape[1::-1], Image.Resampling.BICUBIC))


def _prepared(embedder: Embedder, faces: list[Pixels]) -> list[Prepared]:
    from dtst_flow.embed.arcface import TEMPLATE

    return [
        embedder.prepare(Sample(face, TEMPLATE.astype(np.float32))) for face in faces
    ]


def _margin(rows: Vectors, sharp: Vectors) -> float:
    """How much more faces are like themselves when sharp than like one another."""
    count = len(rows)
    alike = rows @ rows.T
    others = float((alike.sum() - np.trace(alike)) / (count * (count - 1)))
    return float((rows * sharp).sum() / count) - others
