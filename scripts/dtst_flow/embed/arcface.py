"""ArcFace: identity of a face, by any recognition model of InsightFace.

Deng, Guo, Xue, Zafeiriou, "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", 2019.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from dtst_flow.embed.base import Embedder, Prepared, Sample
from dtst_flow.models.onnx import CUDA, open_session
from dtst_flow.utils.array_types import Pixels, Positions, Vectors

SIDE = 112
"""Side in pixels of the crop the models take."""

TEMPLATE = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
"""Where the five points are in that crop (InsightFace, `face_align`)."""

MAX_SAMPLES = 16
"""How many source pixels in a row a pixel of the crop is averaged from, at most."""


class ArcfaceEmbedder(Embedder):
    """Computes one sample at a time on the CPU, `batch_size` at once on a GPU.

    On one CPU thread a batch is no faster. One at a time is right for models with
    dynamic quantisation too: they scale a batch as a whole, so that each row would
    depend on all. On a GPU every batch is filled up to one shape, as the shape
    decides which algorithm computes it.

    Args:
        weights: The model, an ONNX file.
        batch_size: How many samples to compute at once, at most.
    """

    def __init__(self, weights: Path, batch_size: int = 32):
        self._session = open_session(weights)
        self._input = self._session.get_inputs()[0].name
        self.dimensions = self._session.get_outputs()[0].shape[1]
        on_gpu = CUDA in self._session.get_providers()
        self.batch_size = batch_size if on_gpu and not _scales_batches(weights) else 1

    def prepare(self, sample: Sample) -> Pixels:
        """Make the aligned crop, (SIDE, SIDE, 3) uint8 RGB."""
        return align(sample.image, sample.face)

    def close(self) -> None:
        """Free the model."""
        del self._session

    def run(self, batch: list[Prepared]) -> Vectors:
        """Run the model on crops; see `Embedder.run`."""
        pixels = np.zeros((self.batch_size, 3, SIDE, SIDE), np.float32)
        for place, crop in zip(pixels, batch, strict=False):
            place[:] = (crop.transpose(2, 0, 1) - np.float32(127.5)) / np.float32(127.5)
        rows: Vectors = self._session.run(None, {self._input: pixels})[0]
        return rows[: len(batch)]


def align(image: Pixels, points: Positions) -> Pixels:
    """Make the crop in which the points are closest to TEMPLATE.

    A pixel of it is the mean of about as many samples as it covers source pixels.
    Outside the image it is black, as in InsightFace's own crops; mirroring the image
    there made strangers more alike.

    Args:
        image: (height, width, 3) uint8 RGB.
        points: (5, 2) in pixels of the image.

    Returns:
        The crop, (SIDE, SIDE, 3) uint8 RGB.
    """
    transform = similarity(TEMPLATE, points)
    scale = np.hypot(transform[0, 0], transform[1, 0])
    samples = int(np.clip(round(scale), 1, MAX_SAMPLES))
    transform[:, :2] /= samples
    size = SIDE * samples
    crop = Image.fromarray(image).transform(
        (size, size),
        Image.Transform.AFFINE,
        transform.ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(crop.reduce(samples))


def similarity(template: Positions, points: Positions) -> Positions:
    """Compute the map from a template's pixels to an image's.

    It is the inverse of the similarity transform (scale, rotation, shift) that brings
    the points closest to the template by least squares (Umeyama, 1991; the closed form
    for a plane, points as complex numbers).

    Args:
        template: (n, 2) in pixels of the template.
        points: (n, 2) in pixels of the image.

    Returns:
        The map as an affine matrix, (2, 3) float64.
    """
    z, w = points @ (1, 1j), template @ (1, 1j)
    spread = z - z.mean()
    inverse = np.vdot(spread, spread) / np.vdot(spread, w - w.mean())
    shift = z.mean() - inverse * w.mean()
    return np.array(
        [
            (inverse.real, -inverse.imag, shift.real),
            (inverse.imag, inverse.real, shift.imag),
        ]
    )


def _scales_batches(weights: Path) -> bool:
    """Tell whether a model has dynamic quantisation, by the name of its operator."""
    return b"DynamicQuantizeLinear" in weights.read_bytes()
