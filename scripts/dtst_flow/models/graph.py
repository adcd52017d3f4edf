"""Writing a network down as an ONNX model, operator by operator."""

import numpy as np

OPSET = 20
"""Version of ONNX's operators, one of 2023."""

IR = 9
"""Version of the file format that goes with it."""


class Graph:
    """A network under construction. Values are known by name; the input is ``x``."""

    input = "x"

    def __init__(self) -> None:
        self._nodes: list = []
        self._constants: list = []

    def constant(self, value: np.ndarray) -> str:
        """Put an array in; returns its name."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str | np.ndarray, **attributes) -> str:
        """Apply an ONNX operator to values or arrays; returns the result's name."""
        from onnx import helper

        names = [self.constant(i) if isinstance(i, np.ndarray) else i for i in inputs]
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, names, [name], **attributes))
        return name

    def model(self, output: str, side: int, dimensions: int) -> bytes:
        """The finished model.

        It takes (n, 3, side, side) float32 and gives the value `output`, which is
        (n, dimensions) float32.
        """
        from onnx import TensorProto, helper

        x = helper.make_tensor_value_info(
            self.input, TensorProto.FLOAT, ["n", 3, side, side]
        )
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", dimensions])
        graph = helper.make_graph(self._nodes, "network", [x], [y], self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opset, ir_version=IR
        ).SerializeToString()
