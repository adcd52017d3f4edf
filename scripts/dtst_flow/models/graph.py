"""Building a network as an ONNX model, operator by operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 20
"""Version of ONNX's operators, from 2023."""

IR = 9
"""Version of the file format that goes with it."""


class Graph:
    """A network under construction. Values are known by name; the input is ``x``."""

    input = "x"

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, value: NDArray[Any]) -> str:
        """Add an array.

        Returns:
            The name of the array.
        """
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """Apply an ONNX operator.

        Args:
            operator: Its name.
            *inputs: Names of values, or arrays.
            **attributes: As the operator takes them.

        Returns:
            The name of the result.
        """
        from onnx import helper

        names = [self.constant(i) if isinstance(i, np.ndarray) else i for i in inputs]
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, names, [name], **attributes))
        return name

    def model(self, output: str, side: int, dimensions: int) -> bytes:
        """Finish the model, which takes (n, 3, side, side) float32.

        Args:
            output: Name of the value that the model gives, (n, dimensions) float32.
            side: Side of the input in pixels.
            dimensions: Length of an output row.

        Returns:
            The content of an ONNX file.
        """
        from onnx import TensorProto, helper

        x = helper.make_tensor_value_info(
            self.input, TensorProto.FLOAT, ["n", 3, side, side]
        )
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", dimensions])
        graph = helper.make_graph(self._nodes, "network", [x], [y], self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR)
        content: bytes = model.SerializeToString()
        return content
