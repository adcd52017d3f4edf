"""What every embedder takes and gives."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dtst_flow.utils.array_types import Pixels, Positions, Vectors

CLIP = "ViT-B-32/laion2b_s34b_b79k"
"""The registered one of OpenCLIP's models: architecture and pretrained tag."""

Prepared = NDArray[Any]
"""What a model takes of one image: pixels (uint8) or numbers (float32)."""

FFHQ_POINTS = np.array(
    [(-0.122, -0.027), (0.122, -0.026), (0, 0.114), (-0.104, 0.238), (0.104, 0.238)]
)
"""Where the five points are in a crop aligned as in FFHQ, from its centre, side 1.

Means over 330 portraits of LFW, found by SCRFD and aligned by `faces.crop`.
"""


@dataclass(frozen=True)
class Sample:
    """What an embedder is given for one image.

    Attributes:
        image: (height, width, 3) uint8 RGB.
        points: The face's five points as in `faces.Face`, (5, 2) float32, in pixels of
            this image; None when unknown.

    Raises:
        ValueError: The points are not finite or all in one place.
    """

    image: Pixels
    points: Vectors | None = None

    def __post_init__(self) -> None:
        points = self.points
        if points is None:
            return
        if not (np.isfinite(points).all() and np.ptp(points, axis=0).any()):
            raise ValueError(f"points that place no face: {points.tolist()}")

    @property
    def face(self) -> Positions:
        """The points (5, 2); where unknown, those of a crop aligned as in FFHQ.

        In an image that is not square, the square in its middle counts as the crop.
        """
        if self.points is not None:
            return self.points.astype(np.float64)
        size = np.array(self.image.shape[1::-1])
        points: Positions = size / 2 + FFHQ_POINTS * size.min()
        return points


class Embedder(Protocol):
    """What every embedder can do. A row depends on its own sample only, bit by bit.

    Attributes:
        dimensions: Length of a row.
        batch_size: How many samples are really computed at once.
    """

    dimensions: int
    batch_size: int

    def prepare(self, sample: Sample) -> Prepared:
        """Make of an image what the model takes; callable in any thread."""

    def run(self, batch: list[Prepared]) -> Vectors:
        """Run the model.

        Args:
            batch: At most `batch_size` prepared samples.

        Returns:
            Their rows as the model gives them, (samples, dimensions) float32.
        """

    def compute(self, prepared: list[Prepared]) -> tuple[Vectors, Vectors]:
        """Compute the embeddings of any number of prepared samples.

        Returns:
            (samples, dimensions) float32, rows of length 1; and their lengths before,
            (samples,) float32.
        """
        rows = np.empty((len(prepared), self.dimensions), np.float32)
        for start in range(0, len(prepared), self.batch_size):
            batch = prepared[start : start + self.batch_size]
            rows[start : start + len(batch)] = self.run(batch)
        lengths: Vectors = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / lengths, lengths[:, 0]

    def embed(self, samples: list[Sample]) -> Vectors:
        """Prepare and compute; returns the rows of length 1, as `compute` does."""
        return self.compute([self.prepare(sample) for sample in samples])[0]

    def close(self) -> None:
        """Free the model."""
