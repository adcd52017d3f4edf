"""What every embedder takes and gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

CLIP = "ViT-B-32/laion2b_s34b_b79k"
"""The registered one of OpenCLIP's models: architecture and pretrained tag."""

FFHQ_POINTS = np.array(
    [(-0.122, -0.027), (0.122, -0.026), (0, 0.114), (-0.104, 0.238), (0.104, 0.238)]
)
"""Where the five points lie in a crop aligned as in FFHQ, from its centre, side 1.

Means over 330 portraits of LFW, found by SCRFD and aligned by `faces.crop`.
"""


@dataclass(frozen=True)
class Sample:
    """What an embedder is given for one image.

    image   (height, width, 3) uint8 RGB
    points  (5, 2) float32, the face's points as in `faces.Face`, in pixels of this
            image; None when unknown

    Raises ValueError for points that are not finite or lie all in one place.
    """

    image: np.ndarray
    points: np.ndarray | None = None

    def __post_init__(self) -> None:
        points = self.points
        if points is None:
            return
        if not (np.isfinite(points).all() and np.ptp(points, axis=0).any()):
            raise ValueError(f"points that place no face: {points.tolist()}")

    @property
    def face(self) -> np.ndarray:
        """The points (5, 2) float64, where unknown those of a crop aligned as in FFHQ.

        Of an image that is not square, the square in its middle is taken for the crop.
        """
        if self.points is not None:
            return self.points.astype(np.float64)
        size = np.array(self.image.shape[1::-1])
        return size / 2 + FFHQ_POINTS * size.min()


class Embedder(Protocol):
    """What every embedder can do. A row depends on its own sample only, bit by bit.

    dimensions  length of a row
    batch_size  how many samples are really computed at once
    """

    dimensions: int
    batch_size: int

    def prepare(self, sample: Sample) -> np.ndarray:
        """Return the part of the image that the model takes; callable in any thread."""

    def run(self, batch: list[np.ndarray]) -> np.ndarray:
        """Return the rows of at most `batch_size` prepared samples, as the model gives
        them.
        """

    def compute(self, prepared: list[np.ndarray]) -> np.ndarray:
        """Return (prepared, dimensions) float32, rows of length 1."""
        rows = np.empty((len(prepared), self.dimensions), np.float32)
        for start in range(0, len(prepared), self.batch_size):
            batch = prepared[start : start + self.batch_size]
            rows[start : start + len(batch)] = self.run(batch)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def embed(self, samples: list[Sample]) -> np.ndarray:
        """Prepare and compute; (samples, dimensions) float32."""
        return self.compute([self.prepare(sample) for sample in samples])

    def close(self) -> None:
        """Free the model."""
