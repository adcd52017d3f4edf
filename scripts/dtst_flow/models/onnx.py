"""Opening ONNX models so that every run gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CUDA = "CUDAExecutionProvider"

PROVIDERS = {
    # The default times several algorithms and keeps the fastest: each run another one.
    CUDA: {"cudnn_conv_algo_search": "HEURISTIC"},
    "CPUExecutionProvider": {},
}
"""Where a model may run, the best first, with the options of the provider."""


def open_session(model: Path | bytes) -> InferenceSession:
    """Load a model on a CUDA device, or else on the CPU.

    It runs on one CPU thread: sums then have one order, and jobs that run side by
    side, not threads, use the cores.

    Args:
        model: A file, or its content.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Published models declare a batch of one and warn at every larger one.
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    if CUDA in available:
        onnxruntime.preload_dlls()  # Nvidia's libraries may be packages, too
    providers = [(name, PROVIDERS[name]) for name in PROVIDERS if name in available]
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=providers)
