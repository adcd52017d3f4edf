import cv2
import numpy as np
import pytest
from PIL import Image

from dtst_flow.faces import alignment
from dtst_flow.faces.base import Face
from dtst_flow.faces.record import make
from dtst_flow.faces.sharpness import blur, sharpness
from dtst_flow.imaging import decode, encode

POINTS = np.array([(40, 50), (72, 50), (56, 66), (45, 83), (67, 83)], float)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Colour noise with detail at every scale, 256 x 256."""
    noise = np.random.default_rng(0).normal(size=(256, 256, 3))
    layers = [cv2.GaussianBlur(noise, (0, 0), s) * s for s in (0.7, 3, 12)]
    return (128 + 40 * sum(layers)).clip(0, 255).astype(np.uint8)


def larger(image: np.ndarray, factor: int) -> np.ndarray:
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


class TestSharpness:
    def test_each_step_of_blur_has_less(self, photo):
        blurred = [photo, *(cv2.GaussianBlur(photo, (0, 0), s) for s in (1, 2, 4, 8))]
        values = [sharpness(image, POINTS) for image in blurred]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.5 * values[0]

    @pytest.mark.parametrize("factor", [2, 3, 5])
    def test_it_is_of_the_face_not_of_the_size_of_the_photo(self, photo, factor):
        found = sharpness(larger(photo, factor), POINTS * factor)
        assert found == pytest.approx(sharpness(photo, POINTS), rel=0.06)

    def test_a_face_that_was_enlarged_has_less(self, photo):
        small = cv2.resize(
            photo, None, fx=1 / 4, fy=1 / 4, interpolation=cv2.INTER_AREA
        )
        assert sharpness(small, POINTS / 4) < 0.9 * sharpness(photo, POINTS)

    def test_contrast_and_exposure_do_not_count(self, photo):
        pale = np.rint(photo * 0.5 + 60).astype(np.uint8)
        assert sharpness(pale, POINTS) == pytest.approx(
            sharpness(photo, POINTS), rel=0.02
        )

    def test_what_surrounds_the_face_does_not_count(self, photo):
        changed = photo.copy()
        changed[150:] = 0
        assert sharpness(changed, POINTS) == sharpness(photo, POINTS)

    @pytest.mark.parametrize("shift", [(0, 0), (-60, -60), (-500, 900)])
    def test_plain_areas_and_faces_beyond_the_edge_are_measured(self, shift):
        grey = np.full((90, 120, 3), 90, np.uint8)
        assert sharpness(grey, POINTS + shift) == 0


class TestBlur:
    def test_by_hand(self, tmp_path):
        grey = np.random.default_rng(1).integers(0, 256, (40, 50)).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / "a.png")
        wide = np.pad(grey.astype(int), 1, mode="reflect")
        around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
        expected = (around - 4 * grey.astype(int)).var()
        assert blur((tmp_path / "a.png").read_bytes()) == pytest.approx(expected)

    def test_less_when_blurred(self, photo):
        images = [cv2.GaussianBlur(photo, (0, 0), s) for s in (0.5, 1, 2, 4)]
        values = [blur(encode.encode(image)) for image in images]
        assert values == sorted(values, reverse=True)

    def test_colour_is_seen_in_grey(self, group_photo):
        content = encode.encode(decode.read(group_photo))
        grey = np.asarray(Image.fromarray(decode.read(content)).convert("L"))
        expected = cv2.Laplacian(grey, cv2.CV_64F).var()
        assert blur(content) == pytest.approx(expected, rel=0.005)


class TestRecord:
    def test_holds_every_face_that_can_be_cut_the_largest_first(self, photo):
        small = Face((0, 0, 9, 9), 0.5, tuple(map(tuple, POINTS / 8)))
        large = Face((0, 0, 90, 90), 0.123456, tuple(map(tuple, POINTS)))
        none = Face((0, 0, 99, 99), 0.9, ((5.0, 5.0),) * 5)
        record = make(photo, [small, none, large])
        assert (record["width"], record["height"]) == (256, 256)
        assert [face["box"][2] for face in record["faces"]] == [90, 9]
        assert record["faces"][0] == {
            "box": [0, 0, 90, 90],
            "score": 0.1235,
            "points": POINTS.tolist(),
            "turned": 0,
            "sharpness": round(sharpness(photo, POINTS), 4),
        }

    def test_a_face_of_no_pixel_is_none(self, photo):
        points = POINTS / 1000
        assert alignment.side(alignment.quad(points)) < 0.5
        face = Face((0, 0, 1, 1), 0.5, tuple(map(tuple, points)))
        assert make(photo, [face])["faces"] == []
