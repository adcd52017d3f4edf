import csv
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dtst_flow
from dtst_flow.faces import mediapipe, search
from dtst_flow.faces.base import Face
from dtst_flow.faces.engines import open_engine
from dtst_flow.faces.search import STRIDE, TILE, Detections
from dtst_flow.imaging import decode

lengths = st.integers(1, 1500)
positions = st.floats(-1000, 1000)
points = st.tuples(positions, positions).map(np.array)
axes = st.tuples(st.floats(1, 500), st.floats(-3.1, 3.1)).map(
    lambda polar: polar[0] * np.array([np.cos(polar[1]), np.sin(polar[1])])
)
found = st.tuples(st.floats(-9, 9), points, axes)
some_found = st.lists(found, max_size=12).map(
    lambda rows: Detections(
        np.array([logit for logit, _, _ in rows]),
        np.array([centre for _, centre, _ in rows]).reshape(-1, 2),
        np.array([axis for _, _, axis in rows]).reshape(-1, 2),
    )
)


class TestTiles:
    @given(lengths, lengths)
    def test_cover_the_level_and_stay_in_it(self, width, height):
        seen = np.zeros((height, width), bool)
        for x, y in search.tiles(width, height):
            assert 0 <= x <= max(0, width - TILE)
            assert 0 <= y <= max(0, height - TILE)
            seen[y : y + TILE, x : x + TILE] = True
        assert seen.all()

    @given(st.integers(TILE, 1500), st.data())
    def test_a_face_of_a_fifth_of_a_tile_is_whole_in_one(self, length, data):
        start = data.draw(st.integers(0, length - (TILE - STRIDE)))
        assert any(
            x <= start and start + TILE - STRIDE <= x + TILE
            for x, _ in search.tiles(length, TILE)
        )

    @pytest.mark.parametrize(
        "size, expected",
        [
            ((1, 1), [128]),
            ((250, 250), [128, 256]),
            ((333, 500), [128, 256, 512]),
            ((6000, 4000), [128, 256, 512, 1024]),
        ],
    )
    def test_levels_follow_the_long_side(self, size, expected):
        assert search.levels(*size) == expected


class TestDecode:
    def test_an_anchor_of_each_grid_by_hand(self):
        boxes, logits = np.zeros((896, 8, 2)), np.arange(896.0)
        # In pixels of 128: centre, size, then the eyes, from the anchor on.
        boxes[0, :4] = (4, 8), (64, 32), (-10, 0), (10, 0)
        boxes[512, :4] = (0, 0), (16, 16), (0, -3), (0, 3)
        decoded = search.decode(boxes.ravel(), logits)
        np.testing.assert_array_equal(decoded.logits, logits)
        # The first cells begin at 0 and are 8 and 16 pixels wide.
        np.testing.assert_allclose(decoded.centres[0] * 128, (4 + 4, 4 + 8))
        np.testing.assert_allclose(decoded.centres[512] * 128, (8, 8))
        np.testing.assert_allclose(decoded.axes[[0, 512]] * 128, [(48, 0), (0, 16)])

    def test_eyes_on_one_spot_give_finite_numbers(self):
        decoded = search.decode(np.zeros(896 * 16), np.zeros(896))
        assert np.isfinite(decoded.axes).all()


class TestPlacing:
    @given(points, axes, st.floats(1, 5))
    def test_a_view_shows_its_detection_upright_in_the_middle(
        self, centre, axis, scale
    ):
        view = search.around(centre, axis, scale)
        seen = Detections(
            np.zeros(1), np.array([(0.5, 0.5)]), np.array([(1 / scale, 0.0)])
        )
        placed = search.place_all(seen, view)
        np.testing.assert_allclose(placed.centres, [centre], atol=1e-9)
        np.testing.assert_allclose(placed.axes, [axis], atol=1e-9)
        np.testing.assert_allclose(placed.sides, np.hypot(*axis))

    def test_corners_come_in_the_order_of_a_crop(self):
        corners = search.around(np.array([10, 20]), np.array([4, 0]), 2)
        np.testing.assert_allclose(corners, [(6, 16), (6, 24), (14, 24), (14, 16)])

    @given(some_found)
    def test_mirroring_twice_is_nothing(self, detections):
        again = search.mirror(search.mirror(detections))
        for before, after in zip(detections, again, strict=True):
            np.testing.assert_allclose(after, before, atol=1e-9)

    def test_a_mirrored_face_that_rises_falls(self):
        mirrored = search.mirror(
            Detections(np.zeros(1), np.array([(0.2, 0.3)]), np.array([(0.4, -0.1)]))
        )
        np.testing.assert_allclose(mirrored.centres, [(0.8, 0.3)])
        np.testing.assert_allclose(mirrored.axes, [(0.4, 0.1)])


class TestSuppression:
    def test_overlaps_by_hand(self):
        others = np.array([(0, 0, 2, 2), (1, 0, 3, 2), (2, 0, 4, 2), (5, 5, 5, 5)])
        np.testing.assert_allclose(
            search.overlaps(np.array([0, 0, 2, 2]), others), [1, 1 / 3, 0, 0]
        )

    @given(some_found)
    def test_keeps_the_surest_of_each_crowd(self, detections):
        kept = search.suppress(detections, 0.3)
        assert list(kept.logits) == sorted(kept.logits, reverse=True)
        for i, box in enumerate(kept.boxes):
            assert (search.overlaps(box, kept.boxes[:i]) < 0.3).all()
        for box, logit in zip(detections.boxes, detections.logits, strict=True):
            surer = kept.boxes[kept.logits >= logit]
            assert (search.overlaps(box, surer) >= 0.3).any()

    def test_of_equals_the_first_stays(self):
        twins = Detections(np.zeros(2), np.array([(5, 5), (6, 5)]), np.full((2, 2), 9))
        np.testing.assert_array_equal(search.suppress(twins, 0.3).centres, [(5, 5)])


def test_five_points_are_the_mesh_reduced():
    mesh = np.zeros((478, 2))
    mesh[list(mediapipe.EYES[0])], mesh[list(mediapipe.EYES[1])] = (1, 2), (3, 4)
    mesh[4], mesh[61], mesh[291] = (5, 6), (7, 8), (9, 10)
    assert mediapipe.five_points(mesh) == ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10))


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
def engine(weights: Path):
    with closing(open_engine("mediapipe", weights)) as engine:
        yield engine


@pytest.fixture(scope="module")
def glancing(weights: Path):
    with closing(open_engine("mediapipe", weights, search=False)) as engine:
        yield engine


@pytest.fixture(scope="module")
def photo(group_photo: Path) -> np.ndarray:
    return decode.read(group_photo)


@pytest.fixture(scope="module")
def faces(engine, photo: np.ndarray) -> list[Face]:
    """The faces of the group photo, from left to right."""
    return sorted(engine.find(photo), key=lambda face: face.box)


@pytest.fixture(scope="module")
def portrait(photo: np.ndarray, faces: list[Face]) -> np.ndarray:
    """A square round the largest face of the group photo, three times as wide."""
    x0, y0, x1, y1 = max(faces, key=lambda face: face.area).box
    left, top, side = round(x0 - (x1 - x0)), round(y0 - (y1 - y0)), round(3 * (x1 - x0))
    top, left = max(0, top), max(0, left)
    return photo[top : top + side, left : left + side]


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """The image turned clockwise about its middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height))


class TestGroupPhoto:
    def test_all_six_are_found_once(self, faces):
        assert len(faces) == 6
        boxes = np.array([face.box for face in faces])
        for i, box in enumerate(boxes):
            assert (search.overlaps(box, np.delete(boxes, i, axis=0)) < 0.3).all()

    def test_scores_are_probabilities_surest_first(self, engine, photo):
        scores = [face.score for face in engine.find(photo)]
        assert scores == sorted(scores, reverse=True)
        assert mediapipe.MIN_SCORE <= scores[-1] <= scores[0] <= 1

    def test_points_lie_in_the_box_in_order(self, faces):
        for face in faces:
            eye_left, eye_right, nose, mouth_left, mouth_right = face.points
            assert eye_left[0] < eye_right[0] and mouth_left[0] < mouth_right[0]
            assert max(eye_left[1], eye_right[1]) < nose[1]
            assert nose[1] < min(mouth_left[1], mouth_right[1])
            x0, y0, x1, y1 = face.box
            margin = 0.1 * (x1 - x0)
            for x, y in face.points:
                assert x0 - margin < x < x1 + margin
                assert y0 - margin < y < y1 + margin

    def test_the_mirrored_photo_gives_mirrored_faces(self, engine, photo, faces):
        found = engine.find(np.ascontiguousarray(photo[:, ::-1]))
        mirrored = np.array([face.points for face in found])[:, [1, 0, 2, 4, 3]]
        mirrored[..., 0] = photo.shape[1] - mirrored[..., 0]
        for face in faces:
            distances = np.abs(mirrored - face.points).max(axis=(1, 2))
            assert distances.min() < 0.08 * np.sqrt(face.area)

    def test_same_photo_same_faces_to_the_bit(
        self, engine, weights, photo, portrait, faces
    ):
        engine.find(portrait)
        again = sorted(engine.find(photo), key=lambda face: face.box)
        with closing(mediapipe.MediapipeEngine(weights)) as other:
            fresh = sorted(other.find(photo), key=lambda face: face.box)
        assert faces == again == fresh


class TestPortrait:
    def test_points_agree_with_mediapipes_own_landmarker(
        self, glancing, weights, portrait
    ):
        from mediapipe import Image, ImageFormat
        from mediapipe.tasks.python import BaseOptions, vision

        (face,) = glancing.find(portrait)
        options = vision.FaceLandmarkerOptions(BaseOptions(str(weights)))
        with vision.FaceLandmarker.create_from_options(options) as landmarker:
            pixels = Image(ImageFormat.SRGB, np.ascontiguousarray(portrait))
            (mesh,) = landmarker.detect(pixels).face_landmarks
        side = len(portrait)
        theirs = np.array([(vertex.x, vertex.y) for vertex in mesh]) * side
        np.testing.assert_allclose(
            face.points, mediapipe.five_points(theirs), atol=0.02 * np.sqrt(face.area)
        )

    def test_the_box_is_that_of_the_face_in_the_group(
        self, engine, portrait, photo, faces
    ):
        (face,) = engine.find(portrait)
        largest = max(faces, key=lambda face: face.area)
        assert face.area == pytest.approx(largest.area, rel=0.2)

    @pytest.mark.parametrize("degrees", [-30, 30])
    def test_a_turned_face_keeps_its_points(self, engine, portrait, degrees):
        (upright,) = engine.find(portrait)
        (face,) = engine.find(turned(portrait, degrees))
        eyes = np.subtract(face.points[1], face.points[0])
        before = np.subtract(upright.points[1], upright.points[0])
        angle = np.degrees(np.arctan2(*eyes[::-1]) - np.arctan2(*before[::-1]))
        assert angle == pytest.approx(degrees, abs=5)

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_a_face_on_its_side_or_head_is_no_error(self, engine, portrait, degrees):
        engine.find(turned(portrait, degrees))

    @pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
    def test_a_face_cut_by_the_edge_is_no_error(self, engine, portrait, edge):
        half = len(portrait) // 2
        parts = {
            "left": portrait[:, half:],
            "right": portrait[:, :half],
            "top": portrait[half:],
            "bottom": portrait[:half],
        }
        engine.find(parts[edge])


def test_a_distant_face_needs_the_search(engine, glancing, portrait):
    side = 90
    wall = np.full((853, 1280, 3), 128, np.uint8)
    small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    wall[600 : 600 + side, 1000 : 1000 + side] = small
    (face,) = engine.find(wall)
    x0, y0, x1, y1 = face.box
    assert 1000 < x0 < x1 < 1000 + side and 600 < y0 < y1 < 600 + side
    assert glancing.find(wall) == []


@pytest.mark.parametrize(
    "height, width",
    [(1, 1), (1, 2), (3, 2), (10, 10), (128, 128), (300, 400), (2, 5000), (5000, 1)],
)
@pytest.mark.parametrize("fill", ["black", "white", "noise"])
def test_where_nothing_is_nothing_is_found(engine, height, width, fill):
    image = np.full((height, width, 3), 255 * (fill == "white"), np.uint8)
    if fill == "noise":
        image = np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)
    assert engine.find(image) == []


def test_few_photos_keep_the_benchmarks_promise(engine, shared):
    """A cheap guard; tests/benchmarks/face_recall.py measures the whole."""
    data = shared / "data"

    def table(name: str) -> list[dict[str, str]]:
        with (data / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    for row in table("groups.csv")[:5]:
        count = len(engine.find(decode.read(data / row["file"])))
        least, most = row["min_faces_expected"], row["max_faces_expected"]
        assert int(least) <= count <= int(most)
    empty = [row["file"] for row in table("no_person.csv")[::12]]
    assert sum(len(engine.find(decode.read(data / file))) for file in empty) <= 1


def test_leaves_stderr_to_others_and_closes_twice(weights, tmp_path):
    code = (
        "import sys, numpy\n"
        "from dtst_flow.faces.mediapipe import MediapipeEngine\n"
        f"engine = MediapipeEngine({str(weights)!r})\n"
        "engine.find(numpy.zeros((99, 99, 3), numpy.uint8))\n"
        "engine.close()\n"
        "engine.close()\n"
        "print('heard', file=sys.stderr)\n"
    )
    package = Path(dtst_flow.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(package), "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "heard\n")
