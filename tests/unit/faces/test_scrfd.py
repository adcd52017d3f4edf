import csv
from collections import defaultdict
from contextlib import closing

import cv2
import numpy as np
import pytest

from dtst_flow.faces.base import Face
from dtst_flow.faces.scrfd import ScrfdEngine
from dtst_flow.imaging import decode

MIN_OVERLAP = 0.35


@pytest.fixture(scope="module")
def engine(shared):
    with closing(ScrfdEngine(shared / "models/det_500m.onnx")) as engine:
        yield engine


@pytest.fixture(scope="module")
def photo(group_photo):
    return decode.read(group_photo)


@pytest.fixture(scope="module")
def faces(engine, photo) -> list[Face]:
    return engine.find(photo)


def overlap(a, b) -> float:
    """Intersection over union of two boxes."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a, b
    width = min(ax1, bx1) - max(ax0, bx0)
    height = min(ay1, by1) - max(ay0, by0)
    common = max(0, width) * max(0, height)
    areas = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0)
    return common / (areas - common)


def table(path) -> list[dict]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_finds_everybody_in_the_group_photo_once(faces):
    assert len(faces) == 6


def test_points_stand_in_the_order_of_a_face_within_its_box(faces):
    for face in faces:
        eye_left, eye_right, nose, mouth_left, mouth_right = np.array(face.points)
        assert eye_left[0] < eye_right[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(eye_left[1], eye_right[1]) < nose[1]
        assert nose[1] < min(mouth_left[1], mouth_right[1])
        x0, y0, x1, y1 = face.box
        assert all(x0 <= x <= x1 and y0 <= y <= y1 for x, y in face.points)


def test_values_are_plain_numbers(faces):
    for face in faces:
        values = (*face.box, face.score, *sum(face.points, ()))
        assert {type(value) for value in values} == {float}


def test_the_same_image_gives_the_same_faces(engine, photo, faces):
    assert engine.find(photo.copy()) == faces


@pytest.mark.parametrize(("wide", "high"), [(2, 2), (0.4, 0.4), (1, 1.3)])
def test_faces_are_told_in_pixels_of_the_image(engine, photo, faces, wide, high):
    scaled = cv2.resize(photo, None, fx=wide, fy=high, interpolation=cv2.INTER_AREA)
    found = engine.find(scaled)
    assert len(found) == len(faces)
    for face in faces:
        box = tuple(np.array(face.box) * (wide, high, wide, high))
        assert max(overlap(box, other.box) for other in found) > 0.7


def test_finds_a_face_that_fills_the_image(engine, photo, faces):
    for face in faces:
        x0, y0, x1, y1 = map(round, face.box)
        (found,) = engine.find(photo[y0:y1, x0:x1])
        assert overlap(found.box, (0, 0, x1 - x0, y1 - y0)) > 0.7


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 3000), (3000, 1), (300, 400)])
def test_an_image_without_room_or_content_has_no_faces(engine, shape):
    for grey in (0, 128, 255):
        assert engine.find(np.full((*shape, 3), grey, np.uint8)) == []


def test_finds_nine_of_ten_labelled_faces(engine, shared):
    labelled = defaultdict(list)
    for row in table(shared / "data/face_boxes.csv"):
        if row["label"] not in ("face_ignore", "none"):
            box = tuple(float(row[key]) for key in ("x1", "y1", "x2", "y2"))
            labelled[row["file"]].append(box)
    hits = 0
    for file, boxes in labelled.items():
        found = [face.box for face in engine.find(decode.read(shared / "data" / file))]
        for box in boxes:
            best = max(found, key=lambda other: overlap(box, other), default=None)
            if best is not None and overlap(box, best) >= MIN_OVERLAP:
                found.remove(best)
                hits += 1
    assert hits >= 0.9 * sum(map(len, labelled.values()))


def test_finds_next_to_no_faces_where_nobody_is(engine, shared):
    files = [row["file"] for row in table(shared / "data/no_person.csv")]
    found = [engine.find(decode.read(shared / "data" / file)) for file in files]
    assert sum(map(len, found)) <= 2


def test_refuses_a_model_that_is_no_face_detector(shared):
    with pytest.raises(ValueError, match="no SCRFD model"):
        ScrfdEngine(shared / "models/w600k_mbf_int8.onnx")
