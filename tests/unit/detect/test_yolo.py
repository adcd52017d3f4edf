import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.detect.base import MAX_BOXES, Detection, NotADetector
from dtst_flow.detect.detectors import open_detector
from dtst_flow.detect.yolo import GREY, OVERLAP, YoloDetector, decode, letterbox
from dtst_flow.models.errors import BadModel
from dtst_flow.models.store import Weights
from helpers import colour_detector

sides = st.integers(1, 900)
SIZE = (64, 64)


class TestLetterbox:
    @given(sides, sides)
    def test_the_image_lies_in_the_middle_as_large_as_it_fits(self, width, height):
        image = np.zeros((height, width, 3), np.uint8)
        field, scale, (left, top) = letterbox(image, (320, 640))
        assert field.shape == (320, 640, 3)
        there = (field == 0).all(axis=2)
        rows, columns = there.any(axis=1).sum(), there.any(axis=0).sum()
        assert rows == 320 or columns == 640
        assert scale == (columns / width, rows / height)
        assert there[top : top + rows, left : left + columns].all()
        assert (field[~there] == GREY).all()
        assert 0 <= (640 - columns) - 2 * left <= 1
        assert 0 <= (320 - rows) - 2 * top <= 1

    def test_an_image_that_fits_is_left_as_it_is(self):
        image = np.random.default_rng(0).integers(0, 256, (32, 20, 3), np.uint8)
        field, scale, corner = letterbox(image, (32, 32))
        assert scale == (1, 1) and corner == (6, 0)
        assert np.array_equal(field[:, 6:26], image)


def overlap(a, b) -> float:
    """Intersection over union of two boxes, x0, y0, x1, y1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return shared / (sum(areas) - shared)


class TestDecode:
    def test_chosen_boxes_are_taken_as_they_are(self):
        rows = np.array([[1, 2, 3, 4, 0.9, 1], [1, 2, 3, 4, 0.1, 0]], np.float32)
        boxes, scores, classes = decode(rows, 2, 0.5, SIZE)
        assert boxes.tolist() == [[1, 2, 3, 4]]
        assert scores.tolist() == [pytest.approx(0.9)] and classes.tolist() == [1]

    @pytest.mark.parametrize("more", [0, 32])
    def test_of_all_places_the_best_of_each_class_are_taken(self, more):
        """A better box of a class covers those that overlap it too much, none else."""
        chance = np.random.default_rng(1)
        count, places = 3, 210
        output = np.zeros((4 + count + more, places), np.float32)
        output[:2] = chance.uniform(40, 60, (2, places))
        output[2:4] = chance.uniform(20, 40, (2, places))
        output[4:] = chance.uniform(0, 1, (count + more, places))
        boxes, scores, classes = decode(output, count, 0.3, SIZE)
        centre, size = output[:2].T, output[2:4].T
        corners = np.hstack([centre - size / 2, centre + size / 2])
        expected = []
        for number in range(count):
            kept: list[int] = []
            for place in np.argsort(-output[4 + number]):
                if output[4 + number, place] < 0.3:
                    break
                covers = (overlap(corners[k], corners[place]) for k in kept)
                if all(share <= OVERLAP for share in covers):
                    kept.append(place)
            expected += [(number, output[4 + number, place], place) for place in kept]
        found = sorted(zip(classes, scores, strict=True))
        assert found == sorted((n, s) for n, s, _ in expected)
        by_score = {s: place for _, s, place in expected}
        for box, score in zip(boxes, scores, strict=True):
            assert box == pytest.approx(corners[by_score[score]], abs=1e-4)

    def test_nothing_found(self):
        for shape in ((300, 6), (84, 8400)):
            assert [len(part) for part in decode(np.zeros(shape), 80, 0.1, SIZE)] == [
                0,
                0,
                0,
            ]


class Fixed(YoloDetector):
    """Gives the same output for every image."""

    def __init__(self, output):
        super().__init__(["a"], (64, 64), 0.1)
        self.output = np.array(output, np.float32)

    def run(self, pixels):
        assert pixels.shape == (1, 3, 64, 64) and pixels.dtype == np.float32
        assert pixels.min() >= 0 and pixels.max() <= 1
        return self.output


def test_boxes_are_in_pixels_of_the_image_and_inside_of_it():
    rows = [[0, 0, 64, 64, 0.5, 0], [16, 24, 32, 40, 0.9, 0]]
    found = Fixed(rows).find(np.zeros((50, 100, 3), np.uint8))
    assert [f.score for f in found] == pytest.approx([0.9, 0.5])
    assert found[0].box == pytest.approx((25, 12.5, 50, 37.5))
    assert found[1].box == (0, 0, 100, 50)


def test_no_more_than_the_limit():
    rows = np.tile([9, 20, 30, 40, 0.5, 0], (MAX_BOXES + 9, 1))
    assert len(Fixed(rows).find(np.zeros((50, 100, 3), np.uint8))) == MAX_BOXES


class TestOnnx:
    def test_it_finds_things(self, colours):
        detector = open_detector(Weights(colours, "digest"), min_score=0.05)
        assert detector.names == ["red", "green", "blue thing"]
        things = {(20, 40, 60, 80): "red", (160, 8, 240, 120): "blue thing"}
        assert detector.find(colour_detector.photo(256, 128, things)) == [
            Detection("red", pytest.approx(0.9), (20, 40, 60, 80)),
            Detection("blue thing", pytest.approx(0.6), (160, 8, 240, 120)),
        ]
        detector.close()

    def test_boxes_of_lower_scores_are_left_out(self, colours):
        things = {(20, 40, 60, 80): "red", (160, 8, 240, 120): "red"}
        image = colour_detector.photo(256, 128, things)
        detector = open_detector(Weights(colours, "digest"), min_score=0.7)
        assert len(detector.find(image)) == 1

    @pytest.mark.parametrize("told", [{"names": ""}, {"task": "pose"}, {"task": ""}])
    def test_what_is_no_detector_is_refused(self, tmp_path, told):
        path = colour_detector.write(tmp_path / "x.onnx", **told)
        with pytest.raises(NotADetector, match=r"x\.onnx"):
            open_detector(Weights(path, "digest"), 0.1)

    def test_a_damaged_file_is_refused(self, tmp_path):
        (tmp_path / "x.onnx").write_bytes(b"damaged")
        with pytest.raises(BadModel, match=r"x\.onnx cannot be loaded"):
            open_detector(Weights(tmp_path / "x.onnx", "digest"), 0.1)

    def test_the_size_is_told_where_the_shape_leaves_it_open(self, colours, tmp_path):
        model = onnx.load(colours)
        for axis in (2, 3):
            model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"d{axis}"
        onnx.save(model, tmp_path / "x.onnx")
        detector = open_detector(Weights(tmp_path / "x.onnx", "digest"), 0.1)
        assert len(detector.find(colour_detector.photo(99, 50, {(1, 1, 9, 9): "red"})))
