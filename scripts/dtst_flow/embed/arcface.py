"""ArcFace: identity of a face, by any recognition model of InsightFace.

Deng, Guo, Xue, Zafeiriou, "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", 2019.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from dtst_flow.embed.base import Embedder, Sample
from dtst_flow.models.onnx import CUDA, open_session

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
"""Where the five points lie in that crop (InsightFace, `face_align`)."""

MAX_SAMPLES = 16
"""How many source pixels in a row a pixel of the crop is averaged from, at most."""


class ArcfaceEmbedder(Embedder):
    """Computes one sample at a time on the CPU, `batch_size` at once on a GPU.

    On one CPU thread a batch is no faster. One at a time is right for models with
    dynamic quantisation too: they scale a batch as a whole, so that each row would
    depend on all. On a GPU every batch is filled up to one shape, as the shape
    decides which algorithm computes it.
    """

    def __init__(self, weights: Path, batch_size: int = 32):
        self._session = open_session(weights)
        self._input = self._session.get_inputs()[0].name
        self.dimensions = self._session.get_outputs()[0].shape[1]
        on_gpu = CUDA in self._session.get_providers()
        self.batch_size = batch_size if on_gpu and not _scales_batches(weights) else 1

    def prepare(self, sample: Sample) -> np.ndarray:
        """Return the aligned crop, (SIDE, SIDE, 3) uint8 RGB."""
        return align(sample.image, sample.face)

    def close(self) -> None:
        """Free the model."""
        del self._session

    def run(self, batch: list[np.ndarray]) -> np.ndarray:
        """Return the rows of at most `batch_size` crops, as the model gives them."""
        pixels = np.zeros((self.batch_size, 3, SIDE, SIDE), np.float32)
        for place, crop in zip(pixels, batch, strict=False):
            place[:] = (crop.transpose(2, 0, 1) - np.float32(127.5)) / np.float32(127.5)
        return self._session.run(None, {self._input: pixels})[0][: len(batch)]


def align(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the crop (SIDE, SIDE, 3) uint8 RGB in which the points lie on TEMPLATE.

    A pixel of it is the mean of about as many samples as it covers source pixels.
    What lies outside the image is black, as in InsightFace's own crops; mirroring the
    image there made strangers more alike.

    image   (height, width, 3) uint8 RGB
    points  (5, 2) in pixels of the image
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


def similarity(template: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the map from a template's pixels to an image's, (2, 3) float64.

    It is the inverse of that similarity transform (scale, rotation, shift) which
    brings the points (n, 2) closest to the template (n, 2) by least squares (Umeyama,
    1991; the closed form for a plane, points as complex numbers).
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
