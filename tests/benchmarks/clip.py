"""CPU time of CLIP's image tower, ViT-B/32: ONNX Runtime beside PyTorch, by batch.

    python tests/benchmarks/clip.py

Needs the packages open_clip_torch and safetensors. The weights are random, which does
not change the time. Times are CPU time of one thread for one image, besides reading and
preparing it; all ways take turns.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from dtst_flow.embed import vit
from dtst_flow.models.onnx import open_session
from dtst_flow.models.tensors import read_safetensors

IMAGES = 32
BATCHES = (1, 4, 8, 32)


def ways(batches: tuple[int, ...]) -> dict[str, Callable[[np.ndarray], None]]:
    """Way -> a function that computes all images by it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    model = open_clip.create_model("ViT-B-32").eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        session = open_session(vit.network(read_safetensors(path, "visual.")))

    def by_onnx(pixels: np.ndarray) -> None:
        session.run(None, {session.get_inputs()[0].name: pixels})

    def by_torch(pixels: np.ndarray) -> None:
        with torch.inference_mode():
            model.visual(torch.from_numpy(pixels))

    def in_batches(compute: Callable, size: int) -> Callable[[np.ndarray], None]:
        def run(pixels: np.ndarray) -> None:
            for start in range(0, len(pixels), size):
                compute(pixels[start : start + size])

        return run

    computes = {"ONNX Runtime": by_onnx, "PyTorch": by_torch}
    return {
        f"{name}, {size} at once": in_batches(compute, size)
        for name, compute in computes.items()
        for size in batches
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    chance = np.random.default_rng(0)
    pixels = chance.normal(size=(IMAGES, 3, 224, 224)).astype(np.float32)
    every = ways(BATCHES)
    times: dict[str, list[float]] = {name: [] for name in every}
    for turn in range(options.rounds + 1):
        for name, compute in every.items():
            start = time.process_time()
            compute(pixels)
            if turn:  # the first is a warm-up
                took = time.process_time() - start
                times[name].append(1000 * took / IMAGES)
    first = median(next(iter(times.values())))
    print(f"{'way':28} {'ms':>6} {'ratio':>6}")
    for name, took in times.items():
        print(f"{name:28} {median(took):6.1f} {median(took) / first:6.2f}")


if __name__ == "__main__":
    main()
