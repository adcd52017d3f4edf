"""What embedders of whole images have in common: how an image is prepared."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dtst_flow.embed.base import Embedder, Prepared, Sample
from dtst_flow.models.onnx import CUDA, open_session
from dtst_flow.utils.array_types import Pixels, Vectors

MAX_ASPECT = 16
"""Longer side of an image by its shorter one, at most; of a longer image the middle
counts."""


@dataclass(frozen=True)
class Preprocessing:
    """What a model sees of an image, and in which numbers.

    Attributes:
        side: Side in pixels of the square that it takes from the middle.
        shorter: Pixels that the image's shorter side is resized to before.
        mean: What is subtracted from the pixels, 0 to 255, red, green, blue.
        spread: What the difference is divided by.
    """

    side: int
    shorter: int
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]

    def square(self, image: Pixels) -> Pixels:
        """Take the middle of an image, by bicubic averaging.

        The same as torchvision's Resize and CenterCrop.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            The square, (side, side, 3) uint8 RGB.
        """
        middle = Image.fromarray(_without_far_ends(image))
        size = np.array(middle.size)
        whole = size * self.shorter // size.min()
        left, top = np.round((whole - self.side) / 2).astype(int).tolist()
        return np.asarray(
            middle.resize(whole.tolist(), Image.Resampling.BICUBIC).crop(
                (left, top, left + self.side, top + self.side)
            )
        )

    def normalise(self, square: Pixels) -> Vectors:
        """Convert a square to the model's numbers, (3, side, side) float32."""
        mean, spread = np.array((self.mean, self.spread), np.float32)
        numbers: Vectors = (square.astype(np.float32) - mean) / spread
        return numbers.transpose(2, 0, 1)


def _without_far_ends(image: Pixels) -> Pixels:
    """Take the middle of an image that is too long to be resized as a whole."""
    height, width = image.shape[:2]
    kept = MAX_ASPECT * min(height, width)
    top, left = max(0, height - kept) // 2, max(0, width - kept) // 2
    return image[top : top + kept, left : left + kept]


class SessionEmbedder(Embedder):
    """Runs a model by ONNX Runtime, `batch_size` images at once on a GPU.

    Every batch is filled up to one shape, as the shape decides which algorithm computes
    it.

    Args:
        model: A file or its content: (n, 3, side, side) float32 in, (n, dimensions)
            float32 out.
        preprocessing: How it takes images.
        batch_size: Images at once on a GPU, at most.
        on_cpu: Images at once on one CPU thread, where more are no faster.
    """

    def __init__(
        self,
        model: Path | bytes,
        preprocessing: Preprocessing,
        batch_size: int,
        on_cpu: int = 1,
    ):
        self._session = open_session(model)
        self._preprocessing = preprocessing
        self.dimensions = self._session.get_outputs()[0].shape[1]
        on_gpu = CUDA in self._session.get_providers()
        fixed = self._session.get_inputs()[0].shape[0]
        wanted = batch_size if on_gpu else min(batch_size, on_cpu)
        self.batch_size = fixed if isinstance(fixed, int) else wanted

    def prepare(self, sample: Sample) -> Pixels:
        """Take the square that the model sees, (side, side, 3) uint8 RGB."""
        return self._preprocessing.square(sample.image)

    def close(self) -> None:
        """Free the model."""
        del self._session

    def run(self, batch: list[Prepared]) -> Vectors:
        """Run the model on squares; see `Embedder.run`."""
        side = self._preprocessing.side
        pixels = np.zeros((self.batch_size, 3, side, side), np.float32)
        for place, square in zip(pixels, batch, strict=False):
            place[:] = self._preprocessing.normalise(square)
        name = self._session.get_inputs()[0].name
        rows: Vectors = self._session.run(None, {name: pixels})[0]
        return rows[: len(batch)]
