"""What every face engine gives: faces, in pixels of the image."""

from dataclasses import dataclass
from typing import Protocol

from dtst_flow.utils.array_types import Pixels

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1."""


@dataclass(frozen=True)
class Face:
    """One face, in pixels of the upright source image (x right, y down).

    Attributes:
        box: (x0, y0, x1, y1); may reach past the image edge.
        score: The engine's own confidence, higher is surer. Scores of different
            engines cannot be compared.
        points: Five (x, y): the eye on the viewer's left, the one on the right, the
            nose tip, the mouth corner on the left, the one on the right. For a face
            on its head the viewer stands on the head, too.
        turned: Degrees by which the image was turned clockwise to find the face.
    """

    box: Box
    score: float
    points: tuple[tuple[float, float], ...]
    turned: int = 0

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        x0, y0, x1, y1 = self.box
        return max(0.0, x1 - x0) * max(0.0, y1 - y0)


class Engine(Protocol):
    """What every engine can do."""

    def find(self, image: Pixels) -> list[Face]:
        """Find the faces of an image.

        Args:
            image: The image, (height, width, 3) uint8 RGB.

        Returns:
            Its faces, in any order.
        """

    def close(self) -> None:
        """Free the model."""
