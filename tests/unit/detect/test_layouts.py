"""Every layout that Ultralytics writes: read as it reads it, or refused in a sentence."""

import os
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dtst_flow.detect import detr
from dtst_flow.detect.base import NotADetector
from dtst_flow.detect.detectors import open_detector
from dtst_flow.detect.yolo import decode
from dtst_flow.imaging import decode as photos
from dtst_flow.models.store import Weights
from helpers import colour_detector

SIZE = (100, 200)
"""Height and width of a field."""


class TestDetr:
    def test_boxes_are_shares_of_the_field(self):
        rows = np.array([[0.5, 0.5, 0.2, 0.4, 0.9, 1], [0.1, 0.1, 0.1, 0.1, 0.1, 0]])
        boxes, scores, classes = detr.decode(rows.astype(np.float32), 2, 0.5, SIZE)
        assert boxes == pytest.approx(np.array([[80, 30, 120, 70]]))
        assert scores == pytest.approx([0.9]) and classes.tolist() == [1]

    @pytest.mark.parametrize("count", [2, 3])
    def test_before_8_4_every_class_has_its_score(self, count):
        """Also of two classes, whose rows are as long as those of now."""
        rows = np.full((300, 4 + count), 0.01, np.float32)
        rows[7] = [0.5, 0.5, 0.2, 0.4, 0.7, *[0.6] * (count - 1)]
        boxes, scores, classes = detr.decode(rows, count, 0.5, SIZE)
        assert classes.tolist() == list(range(count))
        assert scores == pytest.approx([0.7, *[0.6] * (count - 1)])
        assert boxes == pytest.approx(np.array([[80, 30, 120, 70]] * count))

    def test_an_image_is_stretched(self):
        field, scale, corner = detr.stretch(np.zeros((50, 400, 3), np.uint8), SIZE)
        assert field.shape == (*SIZE, 3)
        assert (scale, corner) == ((0.5, 2.0), (0, 0))

    def test_a_file_is_known_by_its_head_or_its_description(self, tmp_path):
        """The little model gives pixels, which as shares of the field are all of it."""
        image = colour_detector.photo(128, 64, {(10, 10, 40, 40): "red"})
        told = [{"head": detr.HEAD}, {"description": "Ultralytics rtdetr-l model"}]
        for number, more in enumerate([{"head": "Detect"}, *told]):
            path = colour_detector.write(tmp_path / f"{number}.onnx", **more)
            (found,) = open_detector(Weights(path, "digest"), 0.1).find(image)
            assert (found.box == (0, 0, 128, 64)) is (more in told)


@pytest.mark.parametrize("shape", [(300, 7), (20, 8), (7,), (1, 64, 64)])
def test_other_arrays_are_refused(shape):
    for read in (decode, detr.decode):
        with pytest.raises(NotADetector, match="it answers with an array of"):
            read(np.zeros(shape, np.float32), 400, 0.1, SIZE)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"names": ""}, "it does not tell names and task, as what Ultralytics exports"),
        (
            {"task": "pose"},
            "its task is 'pose', and boxes are found by the tasks detect",
        ),
        ({"task": "obb"}, "its task is 'obb'"),
        ({"names": str(dict.fromkeys(range(9), "x"))}, None),
    ],
)
def test_a_refusal_says_what_the_file_is(told, said, tmp_path):
    path = colour_detector.write(tmp_path / "x.onnx", **told)
    if said is None:  # rows of boxes need no more
        return open_detector(Weights(path, "digest"), 0.1).close()
    with pytest.raises(NotADetector, match=re.escape(f"x.onnx cannot be used: {said}")):
        open_detector(Weights(Path(path), "digest"), 0.1)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((8, 3, 64, 64), "it takes 8 images at once; export it with batch=1"),
        ((1, 1, 64, 64), "and no photos in colour"),
        ((1, 3, 64, 64), "it answers with an array of (64, 64), which is none of"),
    ],
)
def test_what_takes_or_gives_something_else_is_refused(shape, said, tmp_path):
    """Before any photo is looked at."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    means = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph([means], "means", [x], [y], [axes])
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    helper.set_model_props(model, {"names": "{0: 'a'}", "task": "detect"})
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(NotADetector, match=re.escape(said)):
        open_detector(Weights(tmp_path / "x.onnx", "digest"), 0.1)


READ = {
    "yolov8n.yaml": {},
    "yolov8n.yaml, suppressed": {"nms": True, "conf": 1e-6},
    "yolo11n-seg.yaml": {},
    "yolo26n.yaml, end to end": {"nms": False, "imgsz": 160},
    "yolov8s-worldv2.yaml": {},
    "yolov8-rtdetr.yaml": {},
}
"""Configurations, and how they are exported: each another layout."""

REFUSED = {"yolov8n-pose.yaml": "pose", "yolov8n-obb.yaml": "obb"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports a model of random weights."""
    os.environ["YOLO_CONFIG_DIR"] = str(tmp_path_factory.mktemp("settings"))
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    ultralytics = pytest.importorskip("ultralytics", reason="needs ultralytics")
    import torch

    def export(name: str, **how) -> tuple:
        torch.manual_seed(0)
        config = name.partition(",")[0]
        family = ultralytics.RTDETR if "rtdetr" in config else ultralytics.YOLO
        path = tmp_path_factory.mktemp("exported") / config.replace(".yaml", ".pt")
        family(config).save(path)
        how = {"format": "onnx", "imgsz": 64, "simplify": False, "verbose": False} | how
        return family(path).export(**how), family, how["imgsz"]

    return export


@pytest.fixture(scope="module")
def image(group_photo):
    return np.ascontiguousarray(photos.read(group_photo))


def check_best(image, path, family, side: int) -> None:
    """The best boxes that Ultralytics finds are among ours, of all classes."""
    (result,) = family(path).predict(
        np.ascontiguousarray(image[..., ::-1]),
        **{"conf": 1e-6, "iou": 0.7, "max_det": 20, "imgsz": side},
        **{"verbose": False, "device": "cpu"},
    )
    theirs = result.boxes.data.numpy()
    found = open_detector(Weights(Path(path), "digest"), 1e-6).find(image)
    ours = np.array([(*f.box, f.score, int(f.name)) for f in found])
    assert len(theirs) and len(ours)
    best = theirs[theirs[:, 4] >= theirs[0, 4] * 0.999]
    height, width = image.shape[:2]
    for box in best[:5]:
        near = np.abs(ours[:, :4] - box[:4].clip(0, [width, height] * 2)).max(axis=1)
        alike = (near < 2) & (ours[:, 5] == box[5])
        assert np.abs(ours[alike, 4] - box[4]).min() < 1e-3


@pytest.mark.torch
@pytest.mark.parametrize("name", READ)
def test_exports_are_read_as_ultralytics_reads_them(name, exported, image):
    path, family, side = exported(name, **READ[name])
    check_best(image, path, family, side)
    if family.__name__ == "RTDETR":  # and what it was exported from
        check_best(image, path.replace(".onnx", ".pt"), family, 640)


@pytest.mark.torch
@pytest.mark.parametrize("name", REFUSED)
def test_exports_of_other_tasks_are_refused(name, exported):
    path, *_ = exported(name)
    with pytest.raises(NotADetector, match=f"its task is '{REFUSED[name]}'"):
        open_detector(Weights(Path(path), "digest"), 0.1)
