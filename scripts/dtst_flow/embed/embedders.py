"""All embedding models, and how to load one."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dtst_flow.embed.base import CLIP, Embedder
from dtst_flow.models.errors import ModelError, loading


@dataclass(frozen=True)
class Kind:
    """What is known of an embedding model before it is loaded.

    Attributes:
        weights: Its model's name in the registry.
        points: Whether it compares faces and so needs their five points.
        same: Cosine distance within which two images show the same; None where only
            more or less alike makes sense.
        ceiling: Cosine distance above which the images of one cluster no longer show
            the same.
        near: Mean cosine distance within which the images of two clusters show the same.
        alike: Cosine distance within which near-duplicates are: copies and shots of
            one burst, but not one person on two days.
        tells_junk: Whether a vector's length, before it is brought to 1, tells a face
            that nobody could recognise. dlib's does not: of 66 such faces and 659 others
            it orders 70 % of all pairs rightly, that of two ArcFace models 98 and 99 %.
    """

    weights: str
    points: bool
    same: float | None
    ceiling: float | None
    near: float | None
    alike: float
    tells_junk: bool = False


MODELS = {
    "arcface": Kind(
        "arcface_r50", True, 0.5, 0.6, near=0.55, alike=0.15, tells_junk=True
    ),
    "dlib": Kind("dlib_resnet", True, 0.09, ceiling=0.06, near=0.05, alike=0.02),
    "clip": Kind("clip_vit_b32", False, None, ceiling=None, near=None, alike=0.05),
    "efficientnet": Kind("efficientnet_lite0", False, None, None, None, alike=0.15),
}
"""Model -> what it is.

`same` of dlib is its author's threshold, a euclidean distance of 0.6, brought to rows
of length 1: dlib's own are 1.41 long on average. The ceilings were chosen on labelled
photos (tests/benchmarks/purity.py).

Within `alike` and `perceptual_hash.BITS` is at most one of 137,000 pairs of crops of
524 portraits, by arcface and dlib, and of 117,000 pairs of photos, by efficientnet. Of
their copies, 98 % of those of JPEG quality 30 are within; of those of half the size, 95 %
of the crops and 79 % of the photos, which are small already
(`tests/benchmarks/duplicates.py`). The value of clip is not measured: it is the loosest of
those in common use.
"""


def registered(settings: Mapping[str, Any]) -> str:
    """Return the name in the registry of the model that the settings choose.

    Args:
        settings: The config's section cluster.

    Raises:
        ModelError: The user must give the weights of this model of OpenCLIP's.
    """
    model, clip_model = settings["model"], settings["clip_model"]
    if model == "clip" and clip_model != CLIP and settings["weights"] is None:
        raise ModelError(
            f"There are no registered weights of {clip_model}: name their file with "
            f"--weights. Registered is {CLIP}."
        )
    return MODELS[model].weights


def runtimes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the libraries any of which runs the model chosen on a GPU, by their modules.

    Args:
        settings: The config's section cluster.
    """
    if settings["model"] == "dlib":
        return ()
    if settings["model"] == "clip" and not str(settings["weights"]).endswith(".onnx"):
        return "open_clip", "onnxruntime"
    return ("onnxruntime",)


def module_of(name: str) -> ModuleType:
    """Import the module of a model; this loads no library that runs models.

    Args:
        name: A key of MODELS.
    """
    return importlib.import_module(f"dtst_flow.embed.{name}")


def open_embedder(
    name: str, weights: Path, batch_size: int, clip_model: str = CLIP
) -> Embedder:
    """Load an embedder.

    Args:
        name: A key of MODELS.
        weights: Its model file.
        batch_size: How many samples to compute at once, at most.
        clip_model: For clip, which of OpenCLIP's models: "architecture/pretrained tag".

    Raises:
        BadModel: The file is not such a model.
        ModelError: A package that the model needs is not installed.
    """
    module = module_of(name)
    with loading(weights, f"model {name}"):
        embedder: Embedder
        if name == "clip":
            embedder = module.open_tower(clip_model, weights, batch_size)
        else:
            kind = getattr(module, f"{name.capitalize()}Embedder")
            embedder = kind(weights, batch_size)
        return embedder
