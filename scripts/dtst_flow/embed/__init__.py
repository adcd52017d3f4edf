"""Embedders: images go in, vectors come out, near where the images are alike."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from dtst_flow.models import ModelError, loading


@dataclass(frozen=True)
class Kind:
    """What there is to know of an embedding model before it is loaded.

    weights  its model's name in the registry
    points   whether it compares faces and so wants their five points
    same     cosine distance within which two images show the same; None where only
             more or less alike makes sense
    ceiling  cosine distance above which what hangs together no longer shows the same
    alike    cosine distance within which near-duplicates lie: copies and shots of one
             burst, but not one person on two days
    """

    weights: str
    points: bool
    same: float | None
    ceiling: float | None
    alike: float


MODELS = {
    "arcface": Kind("arcface_r50", True, same=0.5, ceiling=0.6, alike=0.15),
    "dlib": Kind("dlib_resnet", True, same=0.09, ceiling=0.06, alike=0.02),
    "clip": Kind("clip_vit_b32", False, same=None, ceiling=None, alike=0.05),
    "efficientnet": Kind("efficientnet_lite0", False, None, ceiling=None, alike=0.15),
}
"""Model -> what it is.

`same` of dlib is its author's threshold, a euclidean distance of 0.6, brought to rows
of length 1: dlib's own are 1.41 long on average. The ceilings were chosen on labelled
photos (tests/benchmarks/purity.py).

Within `alike` and `cluster.duplicates.BITS` lie at most one of 137,000 pairs of crops of
524 portraits, by arcface and dlib, and of 117,000 pairs of photos, by efficientnet; but of
their copies of JPEG quality 30 98 %, of half the size 95 % of the crops and 79 % of the
photos, which are small already (`tests/benchmarks/duplicates.py`). That of clip is not
measured: it is the loosest of those in common use.
"""

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
        them."""

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


def registered(settings: dict) -> str:
    """The name in the registry of the model that the settings of cluster choose.

    Raises ModelError for one of OpenCLIP's that has to be brought along.
    """
    model, clip_model = settings["model"], settings["clip_model"]
    if model == "clip" and clip_model != CLIP and settings["weights"] is None:
        raise ModelError(
            f"There are no registered weights of {clip_model}: name their file with "
            f"--weights. Registered is {CLIP}."
        )
    return MODELS[model].weights


def open_embedder(
    name: str, weights: Path, batch_size: int, clip_model: str = CLIP
) -> Embedder:
    """Load an embedder.

    name        a key of MODELS
    weights     its model file
    batch_size  how many samples to compute at once, at most
    clip_model  for clip, which of OpenCLIP's models: "architecture/pretrained tag"

    Raises BadModel for a file that is none, and ModelError for what is not installed.
    """
    module = importlib.import_module(f"dtst_flow.embed.{name}")
    with loading(weights, f"model {name}"):
        if name == "clip":
            return module.open_tower(clip_model, weights, batch_size)
        return getattr(module, f"{name.capitalize()}Embedder")(weights, batch_size)
