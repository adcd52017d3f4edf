from contextlib import closing

import numpy as np
import pytest

from dtst_flow.faces import dlib as engine_module
from dtst_flow.faces.base import Face
from dtst_flow.faces.dlib import DlibEngine, five_points
from dtst_flow.imaging import decode
from dtst_flow.models import store


@pytest.fixture(scope="module")
def engine():
    with closing(DlibEngine(store.resolve("dlib_68_points").path)) as engine:
        yield engine


@pytest.fixture(scope="module")
def photo(group_photo):
    return decode.read(group_photo)


@pytest.fixture(scope="module")
def faces(engine, photo) -> list[Face]:
    return engine.find(photo)


def test_finds_everybody_in_the_group_photo(faces):
    assert len(faces) == 6


def test_points_stand_in_the_order_of_a_face(faces):
    for face in faces:
        eye_left, eye_right, nose, mouth_left, mouth_right = np.array(face.points)
        assert eye_left[0] < eye_right[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(eye_left[1], eye_right[1]) < nose[1]
        assert nose[1] < min(mouth_left[1], mouth_right[1])


def test_points_lie_in_the_box_and_boxes_in_the_photo(faces, photo):
    height, width = photo.shape[:2]
    for face in faces:
        x0, y0, x1, y1 = face.box
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        assert all(x0 <= x <= x1 and y0 <= y <= y1 for x, y in face.points)
        assert face.score > 0


def test_the_same_image_gives_the_same_faces(engine, photo, faces):
    assert engine.find(photo.copy()) == faces


def test_a_large_image_is_searched_smaller_and_answered_in_its_own_pixels(
    engine, photo, faces, monkeypatch
):
    monkeypatch.setattr(
        engine_module, "MAX_PIXELS", photo.shape[0] * photo.shape[1] // 2
    )
    found = engine.find(photo)
    assert len(found) == 6
    for face in found:
        points = np.array(face.points)
        off = [np.abs(points - other.points).max() for other in faces]
        assert min(off) < 10


def test_a_larger_one_is_looked_at_closer_in_tiles(engine, photo, monkeypatch):
    large = np.ascontiguousarray(photo[200:700])
    expected = len(engine.find(large))
    monkeypatch.setattr(engine_module, "MAX_PIXELS", 15_000)
    monkeypatch.setattr(engine_module, "TILE", 500)
    monkeypatch.setattr(engine_module, "SHRINKS", 100)
    assert engine.find(large) == []
    monkeypatch.setattr(engine_module, "SHRINKS", 1.5)
    assert len(engine.find(large)) == expected > 0


def test_a_photo_on_its_head_is_turned(engine, photo):
    part = np.ascontiguousarray(photo[250:500, :640][::-1, ::-1])
    found = engine.find(part)
    assert found and all(face.turned == 180 for face in found)
    for face in found:
        eye_left, eye_right, _, mouth_left, mouth_right = np.array(face.points)
        assert eye_left[0] > eye_right[0] and mouth_left[0] > mouth_right[0]
        assert eye_left[1] > mouth_left[1] and eye_right[1] > mouth_right[1]


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 3000), (3000, 1), (300, 400)])
def test_an_image_without_room_or_content_has_no_faces(engine, shape):
    for grey in (0, 128, 255):
        assert engine.find(np.full((*shape, 3), grey, np.uint8)) == []


def test_a_mirrored_view_is_an_image_as_well(engine, photo, faces):
    assert len(engine.find(photo[:, ::-1])) == len(faces)


def test_eyes_are_the_means_of_their_outlines():
    landmarks = np.arange(136.0).reshape(68, 2)
    points = np.array(five_points(landmarks))
    assert points[0] == pytest.approx(landmarks[36:42].mean(axis=0))
    assert points[1] == pytest.approx(landmarks[42:48].mean(axis=0))
    assert points[2:] == pytest.approx(landmarks[[30, 48, 54]])
