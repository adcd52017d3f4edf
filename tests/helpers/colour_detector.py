"""A detector small enough to write down: it finds red, green and blue things.

In the form in which Ultralytics exports its models to ONNX, end to end: of every colour
one box in the left half of the field it sees, and one, less sure of it, in the right.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = {0: "red", 1: "green", 2: "blue thing"}
SIDE = 64
SCORES = (0.9, 0.6)
"""Of boxes in the left half and in the right."""


def write(path: Path, **metadata: str) -> Path:
    """Write the model; `metadata` replaces what the file tells of it."""
    nodes, constants = [], []

    def constant(value) -> str:
        name = f"c{len(constants)}"
        array = np.asarray(value)
        kept = array.astype(np.float32) if array.dtype.kind == "f" else array
        constants.append(numpy_helper.from_array(kept, name))
        return name

    def add(operator: str, *inputs: str, **attributes) -> str:
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def most(value: str, axis: int) -> str:
        return add("ReduceMax", value, constant(np.array([axis])), keepdims=0)

    # A pixel is red where red is well above the mean of all colours.
    axes = constant(np.array([1]))
    above = add("Sub", "images", add("ReduceMean", "images", axes, keepdims=1))
    mask = add("Cast", add("Greater", above, constant(0.3)), to=TensorProto.FLOAT)
    place = np.arange(SIDE, dtype=np.float32)
    rows = []
    for half, score in enumerate(SCORES):
        here = constant(np.where((place >= SIDE // 2) == half, 1.0, 0.0))
        seen = add("Mul", mask, here)
        sides = [most(seen, 2), most(seen, 3)]  # (1, 3, width), (1, 3, height)
        starts = [
            add(
                "Sub",
                constant(float(SIDE)),
                most(add("Mul", s, constant(SIDE - place)), 2),
            )
            for s in sides
        ]
        ends = [most(add("Mul", s, constant(place + 1)), 2) for s in sides]
        sure = add("Mul", most(sides[0], 2), constant(float(score)))
        columns = [*starts, *ends, sure, constant(np.array([[0.0, 1.0, 2.0]]))]
        last = constant(np.array([-1]))
        rows.append(
            add("Concat", *(add("Unsqueeze", c, last) for c in columns), axis=-1)
        )
    nodes.append(helper.make_node("Concat", rows, ["output0"], axis=1))
    graph = helper.make_graph(
        nodes,
        "colours",
        [
            helper.make_tensor_value_info(
                "images", TensorProto.FLOAT, [1, 3, SIDE, SIDE]
            )
        ],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, 6])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9
    )
    told = {"names": str(NAMES), "task": "detect", "imgsz": str([SIDE, SIDE])}
    helper.set_model_props(model, {k: v for k, v in (told | metadata).items() if v})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def photo(width: int, height: int, things: dict[tuple, str]) -> np.ndarray:
    """A grey photo with things in it: (x0, y0, x1, y1) -> colour."""
    image = np.full((height, width, 3), 120, np.uint8)
    for (x0, y0, x1, y1), name in things.items():
        image[y0:y1, x0:x1] = 40
        image[y0:y1, x0:x1, list(NAMES.values()).index(name)] = 230
    return image
