"""Names for the kinds of arrays that go between modules."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""An image: (height, width, 3) uint8 RGB, where nothing else is said."""

Vectors = NDArray[np.float32]
"""Rows of numbers that a model takes or gives: (n, d) float32."""

Positions = NDArray[np.float64]
"""Points of an image: (n, 2) float64, x right and y down, in pixels."""
