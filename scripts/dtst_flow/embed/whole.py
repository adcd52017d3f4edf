"""What embedders of whole images have in common: how they look at an image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dtst_flow.embed.base import Embedder, Sample
from dtst_flow.models.onnx import CUDA, open_session

LONGEST = 16
"""Times its shorter side, what counts of a longer image: its middle."""


@dataclass(frozen=True)
class Look:
    """What a model sees of an image, and in which numbers.

    side     of the square it takes from the middle, in pixels
    shorter  what the image's shorter side is brought to before, in pixels
    mean     subtracted from the pixels, 0 to 255, red, green, blue
    spread   what the difference is divided by
    """

    side: int
    shorter: int
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]

    def square(self, image: np.ndarray) -> np.ndarray:
        """Return the middle of an image, (side, side, 3) uint8 RGB, by bicubic averaging.

        The same as torchvision's Resize and CenterCrop.

        image  (height, width, 3) uint8 RGB
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

    def numbers(self, square: np.ndarray) -> np.ndarray:
        """Return (3, side, side) float32 of a square."""
        centred = square - np.array(self.mean, np.float32)
        return (centred / np.array(self.spread, np.float32)).transpose(2, 0, 1)


def _without_far_ends(image: np.ndarray) -> np.ndarray:
    """The middle of an image that is so long that to resize all of it would not fit."""
    height, width = image.shape[:2]
    kept = LONGEST * min(height, width)
    top, left = max(0, height - kept) // 2, max(0, width - kept) // 2
    return image[top : top + kept, left : left + kept]


class SessionEmbedder(Embedder):
    """Runs a model by ONNX Runtime, `batch_size` images at once on a GPU.

    Every batch is filled up to one shape, as the shape decides which algorithm computes
    it.

    model   a file or its content: (n, 3, side, side) float32 in, (n, dimensions) out
    on_cpu  images at once on one CPU thread, where more are no faster
    """

    def __init__(
        self, model: Path | bytes, look: Look, batch_size: int, on_cpu: int = 1
    ):
        self._session = open_session(model)
        self._look = look
        self.dimensions = self._session.get_outputs()[0].shape[1]
        on_gpu = CUDA in self._session.get_providers()
        fixed = self._session.get_inputs()[0].shape[0]
        wanted = batch_size if on_gpu else min(batch_size, on_cpu)
        self.batch_size = fixed if isinstance(fixed, int) else wanted

    def prepare(self, sample: Sample) -> np.ndarray:
        """Return the square that the model sees, (side, side, 3) uint8 RGB."""
        return self._look.square(sample.image)

    def close(self) -> None:
        """Free the model."""
        del self._session

    def run(self, batch: list[np.ndarray]) -> np.ndarray:
        """Return the rows of at most `batch_size` squares, as the model gives them."""
        side = self._look.side
        pixels = np.zeros((self.batch_size, 3, side, side), np.float32)
        for place, square in zip(pixels, batch, strict=False):
            place[:] = self._look.numbers(square)
        name = self._session.get_inputs()[0].name
        return self._session.run(None, {name: pixels})[0][: len(batch)]
