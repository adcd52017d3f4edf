"""YOLO detectors as Ultralytics trains them: closed vocabulary, YOLO-World, YOLOE.

Jocher et al., Ultralytics YOLO, github.com/ultralytics/ultralytics; Cheng et al.,
"YOLO-World: Real-Time Open-Vocabulary Object Detection", 2024; Wang et al., "YOLOE:
Real-Time Seeing Anything", 2025.

The network is run by itself, not by Ultralytics' predictor: that looks for the one best
class of every box, and a class would be found or not depending on what else is looked for.
"""

import os
from importlib.util import find_spec

import numpy as np

from dtst_flow.detect.base import NotADetector, Prompt
from dtst_flow.detect.onnx import TASKS
from dtst_flow.detect.yolo import YoloDetector
from dtst_flow.models.errors import ModelError
from dtst_flow.models.registry import MODELS
from dtst_flow.models.store import Weights, cache_folder, resolve

PINNED = frozenset(model.sha256 for model in MODELS.values())
"""Digests of files that are known; any other may load tensors and layers only."""

TEXT = {"mobileclip:blt": "mobileclip_blt", "mobileclip2:b": "mobileclip2_b"}
"""What YOLOE calls the model that reads its texts -> that model's name in the registry."""


class TorchDetector(YoloDetector):
    """Runs a checkpoint of Ultralytics, in single precision; on the CPU by one thread."""

    def __init__(
        self, weights: Weights, least: float, prompts: list[Prompt] | None = None
    ):
        model = load(weights)
        import torch

        net = model.model.eval()
        if hasattr(net, "end2end"):
            net.end2end = False  # the head that answers for every class
        net.fuse(verbose=False)
        if prompts:
            _set(net, prompts)
        if torch.cuda.is_available():
            net.cuda()
        else:
            torch.set_num_threads(1)
        self._net = net
        side = model.overrides.get("imgsz", 640)
        super().__init__(list(net.names.values()), (side, side), least)

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Return the model's float32 output, as `yolo.decode` takes it."""
        import torch

        like = next(self._net.parameters())
        with torch.inference_mode():
            output = self._net(torch.from_numpy(pixels).to(like))
        while not isinstance(output, torch.Tensor):
            output = output[0]  # beside it lie masks and what training needs
        return output[0].float().cpu().numpy()

    def close(self) -> None:
        """Free the model."""
        del self._net


def load(weights: Weights):
    """Load a checkpoint as `ultralytics.YOLO`; nothing is fetched, nothing told to anyone.

    Raises NotADetector, and ModelError where ultralytics is not installed.
    """
    if weights.path.suffix != ".pt":
        # Ultralytics takes many, of which some are run, such as a network in YAML.
        raise NotADetector(f"{weights.path} is neither a .pt nor an .onnx file")
    if find_spec("ultralytics") is None:
        raise ModelError(
            f"{weights.path} is run by ultralytics: pip install 'dtst-flow[detect]'"
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
    """Let a file that is not known load tensors and layers only; else it may run any code.

    Raises ModelError where the packages installed cannot keep it from that.
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
    # What the environment says counts only where nobody imported ultralytics before.
    tasks.SAFE_LOAD = unknown


def _config_folder():
    folder = cache_folder().parent / "ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_open(model) -> bool:
    """Whether a loaded model finds any class by its name.

    YOLOE without prompts has a large vocabulary of its own instead.
    """
    kind = type(model).__name__
    return kind in ("YOLOWorld", "YOLOE") and not hasattr(model.model.model[-1], "lrpc")


def read_texts(model, texts: list[str]) -> np.ndarray:
    """What a model of open vocabulary makes of texts, (texts, d) float32.

    Raises ModelMissing where the model that reads them is not here.
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
    return vectors.float().numpy()


def _clip():
    """CLIP as OpenAI published it; YOLO-World was trained with its texts."""
    from open_clip.openai import load_openai_model

    path = resolve("clip_vit_b32_openai").path
    return load_openai_model(str(path), precision="fp32", device="cpu")


def _set(net, prompts: list[Prompt]) -> None:
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
