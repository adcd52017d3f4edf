"""EfficientNet-Lite0: what a photo shows, its model comes with a Python package.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
2019; the Lite models, 2020, leave out squeeze-and-excitation and clip at 6. The weights
are Google's, trained on ImageNet and converted to PyTorch by ML Illustrated. They are
run by ONNX Runtime, for which the network is built here.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dtst_flow.embed.whole import Preprocessing, SessionEmbedder
from dtst_flow.models.graph import Graph
from dtst_flow.models.tensors import Tensors, read_pth

PREPROCESSING = Preprocessing(
    side=224, shorter=256, mean=(127, 127, 127), spread=(128, 128, 128)
)
"""As the authors evaluate it (tensorflow/tpu, models/official/efficientnet,
`preprocessing.py` and, for the Lite models' mean and spread, `lite/efficientnet_lite_builder.py`).
"""

DIMENSIONS = 1280
"""Channels of the last layer before the classifier."""

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""Stride of each block; the weights' shapes tell all else about the blocks."""

EPSILON = 1e-3
"""What the batch normalisations add to the variance."""


class EfficientnetEmbedder(SessionEmbedder):
    """Rows are the last layer's channels, averaged over the image.

    Args:
        weights: The model file.
        batch_size: Images at once on a GPU, at most.
    """

    def __init__(self, weights: Path, batch_size: int = 32):
        super().__init__(network(read_pth(weights)), PREPROCESSING, batch_size)


def network(weights: Tensors) -> bytes:
    """Build the network as an ONNX model.

    Args:
        weights: Tensors by their names in the package efficientnet_lite_pytorch.

    Returns:
        The model: (n, 3, 224, 224) float32 in, (n, 1280) float32 out.
    """
    graph = Graph()

    def convolve(x: str, layer: str, norm: str, stride: int = 1, group: int = 1) -> str:
        kernel, bias = fold(weights, layer, norm)
        return graph.add(
            "Conv",
            x,
            kernel,
            bias,
            auto_pad="SAME_UPPER",
            strides=[stride, stride],
            group=group,
        )

    def clip(x: str) -> str:
        return graph.add("Clip", x, np.array(0, np.float32), np.array(6, np.float32))

    x = clip(convolve(graph.input, "_conv_stem", "_bn0", stride=2))
    width = len(weights["_conv_stem.weight"])
    for i, stride in enumerate(STRIDES):
        block, before, width_before = f"_blocks.{i}.", x, width
        if f"{block}_expand_conv.weight" in weights:
            x = clip(convolve(x, f"{block}_expand_conv", f"{block}_bn0"))
        depth = len(weights[f"{block}_depthwise_conv.weight"])
        x = convolve(x, f"{block}_depthwise_conv", f"{block}_bn1", stride, depth)
        x = convolve(clip(x), f"{block}_project_conv", f"{block}_bn2")
        width = len(weights[f"{block}_project_conv.weight"])
        if stride == 1 and width == width_before:
            x = graph.add("Add", x, before)
    x = clip(convolve(x, "_conv_head", "_bn1"))
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    return graph.model(x, PREPROCESSING.side, DIMENSIONS)


def fold(
    weights: Tensors, layer: str, norm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Merge a convolution and the normalisation after it into one convolution.

    Args:
        weights: Tensors by name.
        layer: Name of the convolution.
        norm: Name of the normalisation.

    Returns:
        Kernel and bias.
    """
    gain = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + EPSILON)
    kernel = weights[f"{layer}.weight"] * gain[:, None, None, None]
    return kernel, weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
