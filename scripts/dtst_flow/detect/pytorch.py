"""Detectors as Ultralytics trains them: YOLO, YOLO-World, YOLOE, RT-DETR.

Jocher et al., Ultralytics YOLO, github.com/ultralytics/ultralytics; Cheng et al.,
"YOLO-World: Real-Time Open-Vocabulary Object Detection", 2024; Wang et al., "YOLOE:
Real-Time Seeing Anything", 2025.

The network is run by itself, not by Ultralytics' predictor: that looks for the one best
class of every box, and a class would be found or not depending on what else is looked for.

Models and networks are typed `Any`: PyTorch and Ultralytics are optional packages, and
their attributes differ from one architecture to the next.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dtst_flow.detect import detr
from dtst_flow.detect.base import NotADetector, Prompt
from dtst_flow.detect.onnx import TASKS
from dtst_flow.detect.yolo import YoloDetector
from dtst_flow.models.errors import ModelError
from dtst_flow.models.registry import MODELS
from dtst_flow.models.store import Weights, cache_folder, resolve
from dtst_flow.utils.array_types import Vectors

PINNED = frozenset(model.sha256 for model in MODELS.values())
"""Digests of files that are known; any other may load tensors and layers only."""

TEXT = {"mobileclip:blt": "mobileclip_blt", "mobileclip2:b": "mobileclip2_b"}
"""What YOLOE calls the model that reads its texts -> that model's name in the registry."""


class TorchDetector(YoloDetector):
    """Runs a checkpoint of Ultralytics, in single precision; on the CPU by one thread.

    Args:
        weights: The checkpoint.
        min_score: Lowest score of a box.
        prompts: For a model of open vocabulary, what to find.

    Raises:
        NotADetector: The file is no checkpoint of a detector.
        ModelError: What the checkpoint needs is not installed.
    """

    def __init__(
        self, weights: Weights, min_score: float, prompts: list[Prompt] | None = None
    ):
        model = load(weights)
        import torch

        net = model.model.eval()
        if hasattr(net, "end2end"):
            net.end2end = False  # the head that answers for every class
        net.fuse(verbose=False)
        if prompts:
            _set_classes(net, prompts)
        if torch.cuda.is_available():
            net.cuda()
        else:
            torch.set_num_threads(1)
        self._net = net
        side = model.overrides.get("imgsz", 640)
        is_detr = type(net.model[-1]).__name__ == detr.HEAD
        super().__init__(list(net.names.values()), (side, side), min_score, is_detr)

    def run(self, pixels: Vectors) -> Vectors:
        """Run the model; see `YoloDetector.run`."""
        import torch

        like = next(self._net.parameters())
        with torch.inference_mode():
            output = self._net(torch.from_numpy(pixels).to(like))
        while not isinstance(output, torch.Tensor):
            output = output[0]  # the others are masks and what training needs
        rows: Vectors = output[0].float().cpu().numpy()
        return rows

    def close(self) -> None:
        """Free the model."""
        del self._net


def load(weights: Weights) -> Any:
    """Load a checkpoint; nothing is downloaded, and nobody is notified.

    Returns:
        The model, an `ultralytics.YOLO`.

    Raises:
        NotADetector: The file is no checkpoint of a detector.
        ModelError: Ultralytics is not installed, or too old for a file that is not
            known.
    """
    if weights.path.suffix != ".pt":
        # Ultralytics takes many, of which some are run, such as a network in YAML.
        raise NotADetector(f"{weights.path} is neither a .pt nor an .onnx file")
    if find_spec("ultralytics") is None:
        raise ModelError(
            f"{weights.path} is run by ultralytics: "
            "pip install ultralytics open_clip_torch"
        )
    os.environ |= {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(_config_folder()),
    }
    from ultralytics import YOLO

    _restrict(weights)
    try:
        model = YOLO(str(weights.path))
    except Exception as error:
        raise NotADetector(
            f"{weights.path} cannot be loaded as a model of Ultralytics: {error}"
        ) from error
    if model.task not in TASKS:
        raise NotADetector(f"{weights.path} is no detector but for: {model.task}")
    return model


def _restrict(weights: Weights) -> None:
    """Allow a file that is not known to load tensors and layers only.

    Unrestricted, it may run any code.

    Raises:
        ModelError: The installed packages cannot restrict it.
    """
    import torch
    from ultralytics.nn import tasks

    unknown = weights.digest not in PINNED
    able = hasattr(tasks, "SAFE_LOAD") and hasattr(
        torch.serialization, "get_unsafe_globals_in_checkpoint"
    )
    if unknown and not able:
        raise ModelError(
            f"{weights.path} is none of the known files and might run code when it is "
            "loaded; newer packages prevent that: pip install -U torch ultralytics"
        )
    # Ultralytics reads the environment at its first import only, which may be over.
    tasks.SAFE_LOAD = unknown


def _config_folder() -> Path:
    """Make the folder where Ultralytics keeps its settings."""
    folder = cache_folder().parent / "ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_open(model: Any) -> bool:
    """Tell whether a loaded model finds any class by its name.

    YOLOE without prompts has a large vocabulary of its own instead.
    """
    kind = type(model).__name__
    return kind in ("YOLOWorld", "YOLOE") and not hasattr(model.model.model[-1], "lrpc")


def read_texts(model: Any, texts: list[str]) -> Vectors:
    """Compute what a model of open vocabulary makes of texts.

    Args:
        model: As `load` returns it.
        texts: Names of classes, in words.

    Returns:
        A row for each text, (texts, d) float32.

    Raises:
        ModelMissing: The model that reads the texts is not on this machine.
    """
    import torch
    from open_clip.tokenizer import SimpleTokenizer

    tokens = SimpleTokenizer()(texts)
    with torch.inference_mode():
        if type(model).__name__ == "YOLOWorld":
            vectors = _clip().encode_text(tokens, normalize=True)
        else:
            name = TEXT[getattr(model.model, "text_model", "mobileclip:blt")]
            encoder = torch.jit.load(str(resolve(name).path), map_location="cpu")
            vectors = model.model.model[-1].get_tpe(encoder(tokens)[None])[0]
    rows: Vectors = vectors.float().numpy()
    return rows


def _clip() -> Any:
    """Load CLIP as OpenAI published it; YOLO-World was trained with its texts."""
    from open_clip.openai import load_openai_model

    path = resolve("clip_vit_b32_openai").path
    return load_openai_model(str(path), precision="fp32", device="cpu")


def _set_classes(net: Any, prompts: list[Prompt]) -> None:
    """Tell a network of open vocabulary what to find."""
    import torch

    names = [prompt.name for prompt in prompts]
    vectors = torch.from_numpy(np.stack([prompt.vector for prompt in prompts]))[None]
    if hasattr(net, "txt_feats"):  # YOLO-World
        net.txt_feats = vectors
        net.model[-1].nc = len(names)
        net.names = dict(enumerate(names))
    else:
        net.set_classes(names, vectors)
