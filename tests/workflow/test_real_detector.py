"""Path C with a detector trained on COCO, on its labelled photos."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from dtst_flow.dataset import sidecars
from dtst_flow.detect import coco
from dtst_flow.detect.detectors import open_detector
from dtst_flow.imaging import decode
from dtst_flow.models.store import Weights
from helpers.average_precision import Boxes, average_precision, labelled
from helpers.dataset import Dataset

CLASSES = ["person", "car", "chair", "dining table"]
SIDE = 640


@pytest.fixture(scope="module")
def weights(shared) -> Path:
    return shared / "models/yolo26n_int8.onnx"


def photos_of_coco(shared: Path) -> list[Path]:
    """Every other photo, of which there are 24."""
    return sorted((shared / "data/objects/coco").glob("*.jpg"))[::2]


@pytest.fixture(scope="module")
def street(shared, tmp_path_factory) -> Dataset:
    """Photos of COCO, nothing run on them yet."""
    dataset = Dataset(tmp_path_factory.mktemp("coco") / "street")
    (dataset.folder / "images").mkdir(parents=True)
    for photo in photos_of_coco(shared):
        shutil.copy(photo, dataset.folder / "images")
    return dataset


def labels(shared: Path) -> dict[str, Boxes]:
    """Class -> the labelled boxes of these photos."""
    known = labelled(shared / "data/object_boxes.csv", "objects/coco/")
    names = [photo.name for photo in photos_of_coco(shared)]
    return {label: {name: known[label][name] for name in names} for label in CLASSES}


def plain_loop(weights: Path, photos: list[Path]) -> dict[str, Boxes]:
    """What the model finds when it is simply run, photo in the middle of a square.

    The place matters: in the corner of the square, cars have an AP50 8 points higher.
    """
    session = onnxruntime.InferenceSession(weights)
    classes: dict[str, Boxes] = {name: {} for name in CLASSES}
    for photo in photos:
        image = decode.read(photo)
        scale = SIDE / max(image.shape)
        small = cv2.resize(image, None, fx=scale, fy=scale)
        height, width = SIDE - small.shape[0], SIDE - small.shape[1]
        top, left = height // 2, width // 2
        sides = (top, height - top, left, width - left)
        square = cv2.copyMakeBorder(small, *sides, cv2.BORDER_CONSTANT, None, [114] * 3)
        pixels = np.float32(square.transpose(2, 0, 1)[None]) / 255
        corner = np.array([left, top, left, top])
        for *box, score, number in session.run(None, {"images": pixels})[0][0]:
            name = coco.NAMES[int(number)]
            if name in CLASSES and score >= 0.001:
                found = (score, *(np.array(box) - corner) / scale)
                classes[name].setdefault(photo.name, []).append(found)
    return classes


def written(dataset: Dataset) -> dict[str, Boxes]:
    """What the sidecars say."""
    classes: dict[str, Boxes] = {name: {} for name in CLASSES}
    for photo in (dataset.folder / "images").glob("*.jpg"):
        for name, entries in sidecars.read(photo)["classes"].items():
            classes[name][photo.name] = [(e["score"], *e["box"]) for e in entries]
    return classes


def test_boxes_are_as_good_as_the_model_gives(street, weights, shared):
    chosen = {"from": "images", "classes": CLASSES, "weights": str(weights)}
    chosen |= {"threshold": 0.001, "max_instances": 300}
    street.run(settings={"path": "detect", "detect": chosen})
    known = labels(shared)
    photos = sorted((street.folder / "images").glob("*.jpg"))
    plain = plain_loop(weights, photos)
    ours = written(street)
    for name in CLASSES:
        there = average_precision(plain[name], known[name])
        here = average_precision(ours[name], known[name])
        print(f"{name}: AP50 {here:.3f}, by a plain loop {there:.3f}")
        assert here == pytest.approx(there, abs=0.02)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["yolo26n_int8.onnx", "yolov8n_int8.onnx"])
def test_boxes_are_as_good_as_ultralytics_finds_them(name, shared):
    ultralytics = pytest.importorskip("ultralytics", reason="needs ultralytics")
    theirs: dict[str, Boxes] = {name: {} for name in CLASSES}
    ours: dict[str, Boxes] = {name: {} for name in CLASSES}
    weights = shared / "models" / name
    model = ultralytics.YOLO(weights, task="detect")
    detector = open_detector(Weights(weights, "digest"), 0.001)
    for photo in photos_of_coco(shared):
        image = decode.read(photo)
        bgr = np.ascontiguousarray(image[..., ::-1])
        (result,) = model.predict(bgr, conf=0.001, iou=0.7, verbose=False, device="cpu")
        for *box, score, number in result.boxes.data.tolist():
            if (label := coco.NAMES[int(number)]) in CLASSES:
                theirs[label].setdefault(photo.name, []).append((score, *box))
        for found in detector.find(image):
            if found.name in CLASSES:
                box = (found.score, *found.box)
                ours[found.name].setdefault(photo.name, []).append(box)
    known = labels(shared)
    for label in CLASSES:
        there = average_precision(theirs[label], known[label])
        here = average_precision(ours[label], known[label])
        print(f"{name}, {label}: AP50 {here:.3f}, Ultralytics {there:.3f}")
        assert here == pytest.approx(there, abs=0.02)


def test_crops_of_what_was_found_are_clustered(street, weights):
    chosen = {"from": "images", "classes": "person,car", "weights": str(weights)}
    settings = {
        "path": "classes",
        "detect": chosen,
        "extract_classes": {"square": True, "margin": 0.1, "min_score": 0.4},
        "cluster": {"model": "efficientnet"},
    }
    street.run(settings=settings)
    assert street.computed()["detect"] <= len(coco.NAMES)
    crops = sorted((street.folder / "crops").glob("*.jpg"))
    assert len(crops) > 20
    listed = [m for c in street.clusters()["clusters"] for m in c["members"]]
    assert len(listed) + len(street.clusters()["noise"]) == len(crops)
