"""Weights are what they are given for: each file with each use of it."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from dtst_flow.detect import detectors
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.models import contents, forms, store
from dtst_flow.models.errors import BadModel
from dtst_flow.models.registry import MODELS
from helpers.safetensors import safetensors

ROLES = {
    "arcface": "arcface_r50",
    "clip": "clip_vit_b32",
    "efficientnet": "efficientnet_lite0",
    "dlib": "dlib_resnet",
    "landmarks": "dlib_68_points",
    "mediapipe": "face_landmarker",
    "scrfd": "scrfd_500m",
    "yunet": "yunet",
    "yolo": "yolo26n",
}
"""What weights are given for -> whose weights they replace."""

Sizes = tuple[int | str | None, ...]


def network(path: Path, takes: Sizes, gives: list[Sizes], **told: str) -> Path:
    """An ONNX model of which only the outside is true; `type` is that of its input."""
    kind = getattr(TensorProto, told.pop("type", "FLOAT"))
    inside = numpy_helper.from_array(np.zeros(9, np.float32), "inside")
    graph = helper.make_graph(
        [helper.make_node("Relu", ["inside"], ["y0"])],
        "network",
        [
            helper.make_tensor_value_info("x", kind, takes),
            # As old exporters do it, the constants stand among the inputs.
            helper.make_tensor_value_info("inside", TensorProto.FLOAT, [9]),
        ],
        [
            helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, sizes)
            for i, sizes in enumerate(gives)
        ],
        [inside],
    )
    model = helper.make_model(graph)
    helper.set_model_props(model, told)
    path.write_bytes(model.SerializeToString())
    return path


def checkpoint(path: Path, content: object) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(content, 2))
    return path


def scores(*sizes: Sizes) -> list[Sizes]:
    """Outputs of SCRFD: `sizes` of every stride, three of each kind."""
    return [(*size, width) for width in (1, 4, 10) for size in sizes]


TOLD = {"names": "{0: 'a'}", "task": "detect"}
PHOTO = (1, 3, 640, 640)

RIGHT = {
    "arcface, any batch": ("arcface", ("n", 3, 112, 112), [("n", 512)], {}),
    "arcface, one face": ("arcface", (1, 3, 112, 112), [(1, 256)], {}),
    "clip": ("clip", ("n", 3, 224, 224), [("n", 512)], {}),
    "yunet": (
        "yunet",
        (1, 3, "h", "w"),
        [(1, "n", width) for width in (1, 1, 4, 10) for _ in "abc"],
        {},
    ),
    "clip, large": ("clip", (1, 3, 378, 378), [(1, 1024)], {}),
    "clip, more outputs": ("clip", (1, 3, 224, 224), [(1, 512), (1, 50, 768)], {}),
    "scrfd": ("scrfd", (1, 3, "?", "?"), scores((800,), (200,), (50,)), {}),
    "scrfd, batches": ("scrfd", (1, 3, "?", "?"), scores(*3 * [("n", "m")]), {}),
    "yolo": ("yolo", PHOTO, [(1, 84, 8400)], TOLD),
    "yolo, end to end": ("yolo", PHOTO, [(1, 300, 6)], TOLD),
    "yolo, half": ("yolo", PHOTO, [(1, 84, 8400)], TOLD | {"type": "FLOAT16"}),
    "yolo, masks": (
        "yolo",
        PHOTO,
        [(1, 116, 8400), (1, 32, 160, 160)],
        TOLD | {"task": "segment"},
    ),
}
"""Outsides of models with what they are."""

WRONG = {
    "arcface of half precision": ((1, 3, 112, 112), [(1, 512)], {"type": "FLOAT16"}),
    "arcface, channels last": ((1, 112, 112, 3), [(1, 512)], {}),
    "arcface, always eight faces": ((8, 3, 112, 112), [(8, 512)], {}),
    "a classifier of the age of faces": ((1, 3, 112, 112), [(1, 3)], {}),
    "clip of photos that are not square": ((1, 3, 224, 336), [(1, 512)], {}),
    "clip of any side": ((1, 3, "h", "w"), [(1, 5)], {}),
    "clip's texts": (("n", 77), [("n", 512)], {"type": "INT64"}),
    "features of places": ((1, 3, 224, 224), [(1, 768, 7, 7)], {}),
    "rows of unknown length": ((1, 3, 224, 224), [(1, "d")], {}),
    "scrfd without points": ((1, 3, 64, 64), scores((8,), (4,), (2,))[:6], {}),
    "yunet of one size": (PHOTO, [(1, 9, n) for n in (1, 1, 4, 10) for _ in "abc"], {}),
    "yolo that names no classes": (PHOTO, [(1, 84, 8400)], {}),
    "yolo of poses": (PHOTO, [(1, 56, 8400)], TOLD | {"task": "pose"}),
    "yolo that classifies": ((1, 3, 64, 64), [(1, 10)], TOLD),
}
"""Outsides of models that nothing here can use."""


def used(path: Path) -> list[str]:
    """What a file is taken for."""
    taken = []
    for role, model in ROLES.items():
        try:
            forms.check(model, path)
        except BadModel as error:
            assert str(error).startswith(f"{path} cannot be loaded as ")
        else:
            taken.append(role)
    return taken


@pytest.mark.parametrize("name", RIGHT)
def test_a_model_is_taken_for_what_it_is(tmp_path, name):
    role, takes, gives, told = RIGHT[name]
    assert used(network(tmp_path / "x.onnx", takes, gives, **told)) == [role]


@pytest.mark.parametrize("name", WRONG)
def test_a_model_of_no_use_is_taken_for_nothing(tmp_path, name):
    takes, gives, told = WRONG[name]
    assert used(network(tmp_path / "x.onnx", takes, gives, **told)) == []


def test_a_model_that_takes_any_size_is_taken_for_faces(tmp_path):
    path = network(tmp_path / "x.onnx", ("n", 3, "h", "w"), [("n", 512)])
    assert used(path) == ["arcface"]  # a tower's side has to be known


def test_other_files_are_taken_for_what_they_are(tmp_path):
    one = np.zeros(1, np.float32)
    tower, text = tmp_path / "t.safetensors", tmp_path / "u.safetensors"
    tower.write_bytes(safetensors({"visual.proj": one}))
    text.write_bytes(safetensors({"text_model.proj": one}))
    assert (used(tower), used(text)) == (["clip"], [])
    assert used(checkpoint(tmp_path / "a.pt", {"visual.proj": 1})) == ["clip"]
    assert used(checkpoint(tmp_path / "b.pt", "ultralytics.nn.tasks")) == ["yolo"]
    assert used(checkpoint(tmp_path / "c.pt", {"layer.weight": 1})) == []
    assert used(checkpoint(tmp_path / "d.bin", "ultralytics.nn.tasks")) == []


def test_what_pip_brings_is_taken_for_what_it_is():
    for role in ("efficientnet", "dlib", "landmarks"):
        assert used(store.resolve(ROLES[role]).path) == [role]
    assert used(store.resolve("dlib_5_points").path) == []


AT_HAND = {
    "det_500m.onnx": ["scrfd"],
    "face_landmarker.task": ["mediapipe"],
    "w600k_mbf_int8.onnx": ["arcface"],
    "yolo26n_int8.onnx": ["yolo"],
    "yolov8n_int8.onnx": ["yolo"],
    "yunet_n_dynamic.onnx": ["yunet"],
}


@pytest.mark.parametrize("name", AT_HAND)
def test_the_models_at_hand_are_taken_for_what_they_are(shared, name):
    assert used(shared / "models" / name) == AT_HAND[name]


def test_the_message_says_what_it_is_and_what_it_may_be_for(tmp_path):
    path = network(tmp_path / "x.onnx", (1, 3, "h", "w"), scores((8,), (4,), (2,)))
    with pytest.raises(BadModel) as caught:
        store.resolve("arcface_r50", path)
    assert str(caught.value).splitlines() == [
        f"{path} cannot be loaded as a model of ArcFace, which compares faces.",
        "  it is     an ONNX model, float32 (1, 3, ?, ?) -> float32 (8, 1), "
        "float32 (4, 1) and 7 more",
        "  expected  ONNX, float32 (1 or ?, 3, 112, 112) -> a row of 64 to 4096 "
        "numbers for each",
        "It may be a model of SCRFD, which finds faces with five points: dtst "
        "extract-faces --engine scrfd.",
        "Without --weights, arcface_r50 is used.",
    ]


def test_every_model_that_a_user_may_replace_has_a_form():
    kinds = (*embedders.MODELS.values(), *detectors.MODELS.values())
    names = {kind.weights for kind in kinds} | set().union(*engines.MODELS.values())
    assert names <= forms.OF.keys() <= MODELS.keys()


def test_what_is_registered_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(contents, "read", pytest.fail)
    store.resolve("dlib_resnet")


# What no library is asked for


def theirs(value: onnx.ValueInfoProto) -> contents.Tensor:
    tensor = value.type.tensor_type
    name = TensorProto.DataType.Name(tensor.elem_type).lower()
    return contents.Tensor(
        {"float": "float32"}.get(name, name),
        tuple(size.dim_value or None for size in tensor.shape.dim),
    )


@pytest.mark.parametrize("name", [n for n in AT_HAND if n.endswith(".onnx")])
def test_it_reads_what_onnx_reads(shared, name):
    model = onnx.load(shared / "models" / name)
    constants = {constant.name for constant in model.graph.initializer}
    inputs = (value for value in model.graph.input if value.name not in constants)
    assert contents.read(shared / "models" / name) == contents.Contents(
        contents.ONNX,
        tuple(map(theirs, inputs)),
        tuple(map(theirs, model.graph.output)),
        {entry.key: entry.value for entry in model.metadata_props},
    )


def test_a_file_cut_short_anywhere_is_told(tmp_path):
    path = network(tmp_path / "x.onnx", (1, 3, 112, 112), [(1, 512)], **TOLD)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "cannot be loaded as" in message(path)


def message(path: Path) -> str:
    with pytest.raises(BadModel) as caught:
        forms.check("dlib_resnet", path)
    return str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    for head in (b"", b"PK\3\4", b"\x02\0\0\0\0\0\0\0{", b"\x3a\x10"):
        path.write_bytes(head + content)
        assert contents.read(path).format


def test_an_archive_within_an_archive_is_one(tmp_path):
    inner = io.BytesIO()
    zipfile.ZipFile(inner, "w").close()
    path = tmp_path / "x.task"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("inner.zip", inner.getvalue())
    assert f"it is     {contents.ARCHIVE}\n" in message(path)
