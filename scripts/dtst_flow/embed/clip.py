"""CLIP: what a photo shows, by any image tower of OpenCLIP.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
2021; Ilharco et al., OpenCLIP, github.com/mlfoundations/open_clip.

The plain vision transformers run on ONNX Runtime, which needs no PyTorch and is on a CPU
as fast as PyTorch at its best; so does a tower that is an ONNX file. All others, and every
one where PyTorch sees a GPU, are run by the package open_clip_torch.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from dtst_flow.embed import vit
from dtst_flow.embed.base import Embedder, Prepared, Sample
from dtst_flow.embed.whole import Preprocessing, SessionEmbedder
from dtst_flow.models.errors import ModelError
from dtst_flow.models.onnx import open_session
from dtst_flow.models.tensors import read_safetensors
from dtst_flow.utils.array_types import Vectors

MEAN = (0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255)
SPREAD = (0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255)
"""Of the pixels CLIP was trained on (open_clip, `constants.py`)."""

ON_CPU = 4
"""Images at once on a CPU: a fifth faster than one by one, and more are no faster
(tests/benchmarks/clip.py)."""

PLAIN = frozenset(
    f"{size}{gelu}"
    for size in ("ViT-B-32", "ViT-B-16", "ViT-L-14")
    for gelu in ("", "-quickgelu")
)
"""Architectures, by open_clip's names, that `vit` builds."""


def open_tower(name: str, weights: Path, batch_size: int) -> Embedder:
    """Load a tower with what runs it best on this machine.

    Args:
        name: open_clip's architecture and pretrained tag, "ViT-B-32/laion2b_s34b_b79k".
        weights: Its checkpoint, or the tower alone as an ONNX model that takes square
            images.
        batch_size: How many images to compute at once, at most.

    Raises:
        ModelError: open_clip is needed and not installed.
    """
    architecture, _, tag = name.partition("/")
    if weights.suffix == ".onnx":
        return _session(weights, _side(weights), batch_size)
    if (
        architecture in PLAIN
        and weights.suffix == ".safetensors"
        and not torch_has_gpu()
    ):
        tensors = read_safetensors(weights, "visual.")
        quick = architecture.endswith("-quickgelu") or tag == "openai"
        return _session(vit.network(tensors, quick), vit.side(tensors), batch_size)
    if find_spec("open_clip") is None:
        raise ModelError(
            f"{weights} as {name} is run by open_clip: pip install open_clip_torch"
        )
    return TorchEmbedder(architecture, tag, weights, batch_size)


def torch_has_gpu() -> bool:
    """Tell whether open_clip is installed and PyTorch sees a GPU."""
    if find_spec("open_clip") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _session(model: Path | bytes, side: int, batch_size: int) -> SessionEmbedder:
    """Load an ONNX model that takes squares of a side as CLIP was trained on."""
    preprocessing = Preprocessing(side, side, MEAN, SPREAD)
    return SessionEmbedder(model, preprocessing, batch_size, ON_CPU)


def _side(weights: Path) -> int:
    """Read the side in pixels of the square that an ONNX model takes."""
    side: int = open_session(weights).get_inputs()[0].shape[-1]
    return side


class TorchEmbedder(Embedder):
    """Runs a tower by open_clip.

    On the CPU it computes one image at a time, in single precision; on a GPU,
    `batch_size` at once in half precision. Images are prepared by open_clip's own
    transform. As for ONNX Runtime, the CPU gets one thread, and batches on a GPU are
    filled up to one shape.

    Args:
        architecture: By open_clip's name.
        tag: Its pretrained tag, by which open_clip knows how it takes images.
        weights: Its checkpoint.
        batch_size: Images at once on a GPU.
    """

    def __init__(self, architecture: str, tag: str, weights: Path, batch_size: int):
        import open_clip
        import torch
        from open_clip.transform import PreprocessCfg, image_transform_v2

        on_gpu = torch.cuda.is_available()
        if not on_gpu:
            torch.set_num_threads(1)
        published = open_clip.get_pretrained_cfg(architecture, tag)
        preprocessing = ("mean", "std", "interpolation", "resize_mode")
        self._tower = open_clip.create_model(
            architecture,
            pretrained=str(weights),
            precision="fp16" if on_gpu else "fp32",
            device="cuda" if on_gpu else "cpu",
            force_quick_gelu=published.get("quick_gelu", False),
            force_preprocess_cfg={
                k: published[k] for k in preprocessing if k in published
            },
            weights_only=True,
        ).visual.eval()
        config = PreprocessCfg(**self._tower.preprocess_cfg)
        self._transform = image_transform_v2(config, is_train=False)
        self._like = next(self._tower.parameters())
        self.batch_size = batch_size if on_gpu else 1
        self.dimensions = self.run([np.zeros((3, *config.size), np.float32)]).shape[1]

    def prepare(self, sample: Sample) -> Vectors:
        """Make what the tower takes, (3, height, width) float32."""
        pixels: Vectors = self._transform(Image.fromarray(sample.image)).numpy()
        return pixels

    def close(self) -> None:
        """Free the model."""
        del self._tower, self._like

    def run(self, batch: list[Prepared]) -> Vectors:
        """Run the tower on images; see `Embedder.run`."""
        import torch

        pixels = np.zeros((self.batch_size, *batch[0].shape), np.float32)
        pixels[: len(batch)] = batch
        with torch.inference_mode():
            output = self._tower(torch.from_numpy(pixels).to(self._like))
        rows: Vectors = output.float().cpu().numpy()
        return rows[: len(batch)]
