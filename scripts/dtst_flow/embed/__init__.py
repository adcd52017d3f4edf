"""Embedders: images go in, vectors come out, near where the images are alike."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Kind:
    """What there is to know of an embedding model before it is loaded.

    weights  its model's name in the registry
    points   whether it compares faces and so wants their five points
    same     cosine distance within which two images show the same; None where only
             more or less alike makes sense
    """

    weights: str
    points: bool
    same: float | None


MODELS = {
    "arcface": Kind("arcface_r50", points=True, same=0.5),
    "dlib": Kind("dlib_resnet", points=True, same=0.18),
}
"""Model -> what it is. `same` of dlib is its author's threshold, 0.6 of euclidean distance."""


@dataclass(frozen=True)
class Sample:
    """What an embedder is given for one image.

    image   (height, width, 3) uint8 RGB
    points  (5, 2) float32, the face's points as in `faces.Face`, in pixels of this
            image; None when unknown
    """

    image: np.ndarray
    points: np.ndarray | None = None


class Embedder(Protocol):
    """What every embedder can do. A row depends on its own sample only, bit by bit."""

    def embed(self, samples: list[Sample]) -> np.ndarray:
        """Return (n, d) float32, rows of length 1."""

    def close(self) -> None:
        """Free the model."""


def open_embedder(name: str, weights: Path, batch_size: int) -> Embedder:
    """Load an embedder.

    name        a key of MODELS
    weights     its model file
    batch_size  how many samples to compute at once, at most
    """
    module = importlib.import_module(f"dtst_flow.embed.{name}")
    return getattr(module, f"{name.capitalize()}Embedder")(weights, batch_size)
