"""CLIP's vision transformer, built for ONNX Runtime.

Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020; Radford et al., "Learning
Transferable Visual Models From Natural Language Supervision", 2021.
"""

import math

import numpy as np

from dtst_flow.models.graph import Graph
from dtst_flow.models.tensors import Tensors

HEAD = 64
"""Width of an attention head."""

EPSILON = 1e-5
"""What the layer normalisations add to the variance."""


def network(weights: Tensors, quick: bool = False) -> bytes:
    """Build the tower as an ONNX model.

    Args:
        weights: Tensors by their names in open_clip's `visual`; the shapes tell the
            rest.
        quick: Whether it was trained with the approximation x sigmoid(1.702 x) of GELU.

    Returns:
        The model: (n, 3, side, side) float32 in, (n, dimensions) float32 out.
    """
    graph = Graph()
    x = _tokens(graph, weights)
    x = _normalise(graph, x, weights, "ln_pre")
    count = sum(name.endswith(".attn.in_proj_weight") for name in weights)
    for i in range(count):
        block = f"transformer.resblocks.{i}"
        seen = _normalise(graph, x, weights, f"{block}.ln_1")
        x = graph.add("Add", x, _attend(graph, seen, weights, f"{block}.attn"))
        seen = _normalise(graph, x, weights, f"{block}.ln_2")
        seen = _linear(graph, seen, weights, f"{block}.mlp.c_fc")
        seen = _gelu(graph, seen, quick)
        seen = _linear(graph, seen, weights, f"{block}.mlp.c_proj")
        x = graph.add("Add", x, seen)
    x = graph.add("Gather", x, np.array(0), axis=1)
    x = _normalise(graph, x, weights, "ln_post")
    x = graph.add("MatMul", x, weights["proj"])
    return graph.model(x, side(weights), weights["proj"].shape[1])


def side(weights: Tensors) -> int:
    """Compute the side in pixels of the square that the tower takes."""
    patches = len(weights["positional_embedding"]) - 1
    patch: int = weights["conv1.weight"].shape[-1]
    return round(math.sqrt(patches)) * patch


def _tokens(graph: Graph, weights: Tensors) -> str:
    """Cut the image into patches, (n, 1 + patches, width), the class token first."""
    kernel = weights["conv1.weight"]
    width, _, patch, _ = kernel.shape
    x = graph.add("Conv", graph.input, kernel, strides=[patch, patch])
    x = graph.add("Reshape", x, np.array([0, width, -1]))
    x = graph.add("Transpose", x, perm=[0, 2, 1])
    x = graph.add("Pad", x, np.array([0, 1, 0, 0, 0, 0]))
    places = weights["positional_embedding"].copy()
    places[0] += weights["class_embedding"]
    return graph.add("Add", x, places)


def _attend(graph: Graph, x: str, weights: Tensors, name: str) -> str:
    """Add multi-head self-attention."""
    kernel, bias = weights[f"{name}.in_proj_weight"], weights[f"{name}.in_proj_bias"]
    width = kernel.shape[1]
    heads = []
    for i, axes in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])):
        part = slice(i * width, (i + 1) * width)
        y = graph.add("MatMul", x, kernel[part].T)
        y = graph.add("Add", y, bias[part])
        y = graph.add("Reshape", y, np.array([0, 0, -1, HEAD]))
        heads.append(graph.add("Transpose", y, perm=axes))
    queries, keys, values = heads
    queries = graph.add("Mul", queries, np.array([HEAD**-0.5], np.float32))
    fit = graph.add("Softmax", graph.add("MatMul", queries, keys), axis=-1)
    y = graph.add("Transpose", graph.add("MatMul", fit, values), perm=[0, 2, 1, 3])
    y = graph.add("Reshape", y, np.array([0, 0, width]))
    return _linear(graph, y, weights, f"{name}.out_proj")


def _normalise(graph: Graph, x: str, weights: Tensors, name: str) -> str:
    """Add a layer normalisation."""
    gain, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return graph.add("LayerNormalization", x, gain, bias, axis=-1, epsilon=EPSILON)


def _linear(graph: Graph, x: str, weights: Tensors, name: str) -> str:
    """Add a fully connected layer."""
    x = graph.add("MatMul", x, weights[f"{name}.weight"].T)
    return graph.add("Add", x, weights[f"{name}.bias"])


def _gelu(graph: Graph, x: str, quick: bool) -> str:
    """Add the activation GELU, or its approximation."""
    if not quick:
        return graph.add("Gelu", x)
    gate = graph.add("Sigmoid", graph.add("Mul", x, np.array([1.702], np.float32)))
    return graph.add("Mul", x, gate)
