"""What every detector takes and gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dtst_flow.models.errors import BadModel

LIMIT = 300
"""Most boxes of one image, Ultralytics' own limit."""


class NotADetector(BadModel):
    """A file that is no detector we can run; the message says why."""


@dataclass(frozen=True)
class Found:
    """One thing in an image.

    name   its class, as the model calls it
    score  the model's confidence, 0 to 1
    box    (x0, y0, x1, y1) in pixels of the upright image, inside of it
    """

    name: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """A class by its name, for a model of open vocabulary.

    name    what the model is to find
    vector  its text as that model takes it, (d,) float32
    """

    name: str
    vector: np.ndarray


class Detector(Protocol):
    """What every detector can do.

    names  all classes that it finds, by their number
    """

    names: list[str]

    def find(self, image: np.ndarray) -> list[Found]:
        """Return what is in an upright RGB image (height, width, 3) uint8, best first."""

    def close(self) -> None:
        """Free the model."""
