import os
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

import dtst_flow
from dtst_flow.faces import mediapipe
from dtst_flow.faces.base import Face
from dtst_flow.faces.engines import open_engine
from dtst_flow.imaging import decode


def test_five_points_are_the_mesh_reduced():
    mesh = np.zeros((478, 2))
    mesh[list(mediapipe.EYES[0])], mesh[list(mediapipe.EYES[1])] = (1, 2), (3, 4)
    mesh[4], mesh[61], mesh[291] = (5, 6), (7, 8), (9, 10)
    assert mediapipe.five_points(mesh) == ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10))


def test_the_mesh_looks_at_a_square_turned_as_the_eyes_are():
    box = np.array((0, 0, 20, 20))
    eyes = [np.array((5, 5)), np.array((5, 15))]  # the face lies on its side
    square = mediapipe.frame(box, eyes, mediapipe.Framing(side=1, down=0.1))
    half = 20 * mediapipe.MESH_VIEW / 2
    corners = [(1, -1), (-1, -1), (-1, 1), (1, 1)]
    np.testing.assert_allclose(square, np.array((8, 10)) + half * np.array(corners))


def test_eyes_on_one_spot_are_taken_as_level():
    eyes = [np.array((5, 5)), np.array((5, 5))]
    square = mediapipe.frame(np.array((0, 0, 4, 4)), eyes, mediapipe.BLAZEFACES)
    np.testing.assert_allclose(square, [(-1, -1), (-1, 5), (5, 5), (5, -1)])


def test_what_is_no_bundle_is_refused(tmp_path):
    text, empty = tmp_path / "text.task", tmp_path / "empty.task"
    text.write_text("<html>")
    zipfile.ZipFile(empty, "w").close()
    for path in (text, empty):
        with pytest.raises(ValueError, match=path.name):
            mediapipe.MediapipeEngine(path)


@pytest.fixture(scope="module")
def weights(shared: Path) -> Path:
    return shared / "models" / "face_landmarker.task"


@pytest.fixture(scope="module")
def engine(shared, weights: Path):
    yunet = shared / "models" / "yunet_n_dynamic.onnx"
    with closing(open_engine("mediapipe", [weights, yunet])) as engine:
        yield engine


@pytest.fixture(scope="module")
def glancing(weights: Path):
    with closing(open_engine("mediapipe", [weights])) as engine:
        yield engine


@pytest.fixture(scope="module")
def portraits(group_photo: Path, engine) -> list[np.ndarray]:
    """A square round each face of the group photo, at most three times as wide."""
    photo = decode.read(group_photo)
    cut = []
    for face in engine.find(photo):
        x0, y0, x1, y1 = face.box
        left, top, side = round(x0 - (x1 - x0)), round(y0 - (y1 - y0)), 3 * (x1 - x0)
        top, left = max(0, top), max(0, left)
        part = photo[top : top + round(side), left : left + round(side)]
        cut.append(np.ascontiguousarray(part))
    return cut


def landmarks(weights: Path, image: np.ndarray) -> np.ndarray:
    """The five points of the largest face by MediaPipe's own face landmarker."""
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(BaseOptions(str(weights)), num_faces=1)
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        (mesh,) = landmarker.detect(Image(ImageFormat.SRGB, image)).face_landmarks
    vertices = np.array([(v.x, v.y) for v in mesh]) * image.shape[1::-1]
    return np.array(mediapipe.five_points(vertices))


def nearest(faces: list[Face], points: np.ndarray) -> float:
    """How far the points of the nearest face are, by its size; the mean of five."""
    return min(
        np.hypot(*(np.array(f.points) - points).T).mean() / np.sqrt(f.area)
        for f in faces
    )


def test_points_agree_with_mediapipes_own_landmarker(
    engine, glancing, weights, portraits
):
    for portrait in portraits:
        theirs = landmarks(weights, portrait)
        assert nearest(engine.find(portrait), theirs) < 0.02
        assert nearest(glancing.find(portrait), theirs) < 0.02


def test_a_distant_face_needs_yunet(engine, glancing, portraits):
    side = 90
    wall = np.full((853, 1280, 3), 128, np.uint8)
    small = cv2.resize(portraits[0], (side, side), interpolation=cv2.INTER_AREA)
    wall[600 : 600 + side, 1000 : 1000 + side] = small
    (face,) = engine.find(wall)
    x0, y0, x1, y1 = face.box
    assert 1000 < x0 < x1 < 1000 + side and 600 < y0 < y1 < 600 + side
    assert glancing.find(wall) == []


def test_leaves_stderr_to_others_and_closes_twice(weights, tmp_path):
    code = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from dtst_flow.faces.mediapipe import MediapipeEngine\n"
        f"engine = MediapipeEngine(Path({str(weights)!r}))\n"
        "engine.find(numpy.zeros((99, 99, 3), numpy.uint8))\n"
        "engine.close()\n"
        "engine.close()\n"
        "print('heard', file=sys.stderr)\n"
    )
    package = Path(dtst_flow.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(package), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "heard\n")
