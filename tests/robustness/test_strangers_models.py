"""Model files from strangers: none is run when it is loaded, and what is none is named."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from dtst_flow.detect import vocabulary
from dtst_flow.detect.detectors import open_detector
from dtst_flow.embed.embedders import open_embedder
from dtst_flow.models.errors import BadModel, ModelError
from dtst_flow.models.onnx import open_session
from dtst_flow.models.store import Weights
from dtst_flow.stages.extract_faces import Extractor, Options
from helpers.dataset import Dataset


class Harm:
    def __init__(self, trap: Path):
        self.trap = trap

    def __reduce__(self):
        return open, (str(self.trap), "w")


@pytest.fixture
def trap(tmp_path) -> Path:
    """A file that is made when something of the stranger's is run."""
    return tmp_path / "sprung"


def hostile(path: Path, trap: Path) -> Path:
    """A checkpoint in each of PyTorch's two formats that runs code when it is unpickled."""
    content = pickle.dumps({"model": Harm(trap), "state_dict": Harm(trap)}, protocol=2)
    if path.stem == "old":
        magic, version = 0x1950A86A20F9469CFC6C, 1001
        head = b"".join(pickle.dumps(x, 2) for x in (magic, version, {}))
        path.write_bytes(head + content + pickle.dumps([], 2))
    else:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", content)
            file.writestr("archive/version", "3\n")
    return path


def test_the_trap_works(tmp_path, trap):
    with zipfile.ZipFile(hostile(tmp_path / "new.pt", trap)) as file:
        pickle.loads(file.read("archive/data.pkl"))
    assert trap.exists()


@pytest.mark.parametrize("name", ["old.pt", "new.pt"])
def test_efficientnet_calls_nothing(tmp_path, trap, name):
    path = hostile(tmp_path / name, trap)
    with pytest.raises(ModelError, match=f"{name} holds no weights"):
        open_embedder("efficientnet", path, 1)
    assert not trap.exists()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["old.pt", "new.pt", "new.pth", "old.npz"])
def test_clip_calls_nothing(tmp_path, trap, name):
    pytest.importorskip("open_clip", reason="needs open_clip_torch")
    path = hostile(tmp_path / name, trap)
    with pytest.raises(BadModel, match=f"{name} cannot be loaded as model clip"):
        open_embedder("clip", path, 1)
    assert not trap.exists()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["old.pt", "new.pt", "yoloe-x.pt", "x-worldv2.pt"])
def test_detect_calls_nothing(tmp_path, trap, name):
    pytest.importorskip("ultralytics", reason="needs ultralytics")
    path = hostile(tmp_path / name, trap)
    for load in (lambda w: open_detector(w, 0.1), lambda w: vocabulary.learn(w, ["a"])):
        with pytest.raises(BadModel, match=f"{name} cannot be loaded"):
            load(Weights(path, "unknown"))
    assert not trap.exists()


@pytest.mark.parametrize("name", ["x.yaml", "x.engine", "x.torchscript", "x.pkl", "x"])
def test_detect_takes_checkpoints_and_onnx_alone(tmp_path, trap, name):
    (tmp_path / name).write_text(f"activation: open({str(trap)!r}, 'w')\n")
    with pytest.raises(BadModel, match=r"neither a \.pt nor an \.onnx file"):
        open_detector(Weights(tmp_path / name, "unknown"), 0.1)
    assert not trap.exists()


def reaching(folder: Path, location: str) -> Path:
    """An ONNX model that keeps its numbers in another file."""
    constant = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[4])
    constant.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": "16"}.items():
        constant.external_data.add(key=key, value=value)
    value = [helper.make_tensor_value_info(x, TensorProto.FLOAT, [4]) for x in "xy"]
    node = helper.make_node("Add", ["x", "c"], ["y"])
    graph = helper.make_graph([node], "g", value[:1], value[1:], [constant])
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    (folder / "x.onnx").write_bytes(model.SerializeToString())
    return folder / "x.onnx"


def test_onnx_reads_no_file_outside_its_folder(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for path in (folder / "near.bin", tmp_path / "secret.bin"):
        path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (folder / "link.bin").symlink_to("../secret.bin")
    x = {"x": np.zeros(4, np.float32)}
    (y,) = open_session(reaching(folder, "near.bin")).run(None, x)
    assert y.tolist() == [0, 1, 2, 3]
    for location in ("../secret.bin", "link.bin", str(tmp_path / "secret.bin")):
        with pytest.raises(Exception, match=r"[Ee]xternal"):
            open_session(reaching(folder, location))


GARBAGE = [b"", b"garbage", b"\0" * 1000, bytes(range(256)) * 40]


@pytest.mark.parametrize("content", GARBAGE, ids=["empty", "word", "zeros", "bytes"])
@pytest.mark.parametrize("name", ["arcface", "clip", "dlib", "efficientnet"])
def test_garbage_is_no_embedder(tmp_path, name, content):
    for suffix in (".onnx", ".safetensors", ".pth", ".dat"):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=rf"x\{suffix} "):
            open_embedder(name, path, 1)


@pytest.mark.parametrize("content", GARBAGE, ids=["empty", "word", "zeros", "bytes"])
@pytest.mark.parametrize("name", ["scrfd", "yunet", "dlib", "mediapipe"])
def test_garbage_is_no_engine(tmp_path, monkeypatch, name, content):
    monkeypatch.chdir(tmp_path)
    Path("x.task").write_bytes(content)
    weights = [Weights(tmp_path / "x.task", "digest")]
    extractor = Extractor("s", "faces", Options(engine=name), weights)
    with pytest.raises(
        BadModel, match=rf"x\.task cannot be loaded as model of .* {name}"
    ):
        _ = extractor.engine


@pytest.mark.parametrize(
    "told",
    [
        {"names": "{0: 'a'"},
        {"names": "__import__('os')"},
        {"names": "[" * 500},
        {"names": "5"},
    ],
    ids=["cut off", "a call", "deep", "a number"],
)
def test_what_a_detector_tells_is_data(tmp_path, colours, told):
    model = onnx.load(colours)
    for entry in model.metadata_props:
        entry.value = told.get(entry.key, entry.value)
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(BadModel, match=r"x\.onnx cannot be loaded as a detector"):
        open_detector(Weights(tmp_path / "x.onnx", "unknown"), 0.1)


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("detect", {"from": "images", "classes": "red"}),
        ("cluster", {"from": "images", "model": "clip"}),
    ],
)
def test_a_run_ends_with_a_sentence(tmp_path, path, stage):
    dataset = Dataset(tmp_path / "given")
    (dataset.folder / "images").mkdir(parents=True)
    Image.new("RGB", (64, 48), "red").save(dataset.folder / "images/a.jpg")
    (tmp_path / "x.onnx").write_bytes(b"garbage")
    stage = stage | {"weights": str(tmp_path / "x.onnx")}
    printed = dataset.run(settings={"path": path, path: stage}, ok=False)
    assert "x.onnx cannot be loaded as" in printed
    assert "Traceback (most recent call last)" not in printed
