"""Puts a stand-in for every face engine into the Python processes of wide.py.

Python imports this by its name, from PYTHONPATH. What is measured there is all that lies
around the models; the stand-in finds one face in every image and looks at none. It waits
DTST_STUB_SECONDS for each, which stands for the time of a model.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from dtst_flow.faces import engines
from dtst_flow.faces.base import Face


class StubEngine:
    """Finds one face in the middle, without a look."""

    def __init__(self) -> None:
        self.seconds = float(os.environ.get("DTST_STUB_SECONDS", 0))

    def find(self, image) -> list[Face]:
        """Return the face; `image` is (height, width, 3) uint8 RGB."""
        time.sleep(self.seconds)
        side = min(image.shape[:2])
        eyes = ((0.35, 0.4), (0.65, 0.4))
        mouth = ((0.4, 0.7), (0.6, 0.7))
        points = tuple((x * side, y * side) for x, y in (*eyes, (0.5, 0.55), *mouth))
        return [Face((0.0, 0.0, float(side), float(side)), 1.0, points)]

    def close(self) -> None:
        """There is nothing to free."""


def open_stub(name: str, weights: Sequence[Path]) -> StubEngine:
    """Stand in for `faces.open_engine`."""
    return StubEngine()


engines.open_engine = open_stub
