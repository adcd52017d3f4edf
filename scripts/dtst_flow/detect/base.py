"""What every detector takes and gives."""

from dataclasses import dataclass
from typing import Protocol

from dtst_flow.models.errors import BadModel
from dtst_flow.utils.array_types import Pixels, Vectors

MAX_BOXES = 300
"""Most boxes of one image, Ultralytics' own limit."""


class NotADetector(BadModel):
    """A file that is no detector we can run; the message says why."""


@dataclass(frozen=True)
class Detection:
    """One thing in an image.

    Attributes:
        name: Its class, as the model calls it.
        score: The model's confidence, 0 to 1.
        box: (x0, y0, x1, y1) in pixels of the upright image, inside of it.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """A class by its name, for a model of open vocabulary.

    Attributes:
        name: What the model is to find.
        vector: Its text as that model takes it, (d,) float32.
    """

    name: str
    vector: Vectors


class Detector(Protocol):
    """What every detector can do.

    Attributes:
        names: All classes that it finds, by their number.
    """

    names: list[str]

    def find(self, image: Pixels) -> list[Detection]:
        """Find what is in an upright image.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            At most MAX_BOXES detections, the best first.
        """

    def close(self) -> None:
        """Free the model."""
