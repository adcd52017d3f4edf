import math
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmarks.ffhq import ffhq_reference
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from dtst_flow.faces import alignment, crop
from dtst_flow.imaging import decode, encode

FACE = np.array([(40, 50), (70, 50), (55, 65), (45, 80), (65, 80)], float)
"""An upright face: 30 between the eyes, 30 down to the mouth."""


def square(x: float, y: float, side: float, angle: float = 0.0) -> np.ndarray:
    """The square of this side and centre, turned clockwise by an angle in radians."""
    right = np.array([math.cos(angle), math.sin(angle)]) * side / 2
    down = np.array([-right[1], right[0]])
    corners = [-right - down, down - right, right + down, right - down]
    return np.add(corners, (x, y))


def texture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Smooth colour noise with detail at every scale."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    layers = [cv2.GaussianBlur(noise, (0, 0), s) * s for s in (0.7, 3, 12)]
    return (128 + 55 * sum(layers)).clip(0, 255).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * math.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.fixture(scope="module")
def photo(group_photo: Path) -> np.ndarray:
    return decode.read(group_photo)


SMALL = texture(90, 60)

finite = st.floats(-1000, 1000)
angles = st.floats(-math.pi, math.pi)
squares = st.builds(
    square, st.floats(-60, 150), st.floats(-60, 120), st.floats(1, 150), angles
)


class TestQuad:
    def test_an_upright_face_by_hand(self):
        # Half side max(2 * 30, 1.8 * 30) = 60 round (55, 50 + 0.1 * 30).
        expected = [(-5, -7), (-5, 113), (115, 113), (115, -7)]
        np.testing.assert_allclose(alignment.quad(FACE), expected, atol=1e-12)
        assert alignment.side(alignment.quad(FACE)) == pytest.approx(120)

    def test_a_long_face_is_measured_by_its_mouth(self):
        face = FACE.copy()
        face[3:] += (0, 30)
        assert alignment.side(alignment.quad(face)) == pytest.approx(2 * 1.8 * 60)

    def test_the_nose_does_not_count(self):
        moved = FACE.copy()
        moved[2] += (7, -3)
        np.testing.assert_array_equal(alignment.quad(moved), alignment.quad(FACE))

    @given(angle=angles, scale=st.floats(0.01, 100), shift=st.tuples(finite, finite))
    def test_it_moves_turns_and_grows_with_the_face(self, angle, scale, shift):
        turn = scale * np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        expected = alignment.quad(FACE) @ turn.T + shift
        found = alignment.quad(FACE @ turn.T + shift)
        np.testing.assert_allclose(found, expected, atol=1e-9 * (1000 + scale))

    @given(points=st.lists(st.tuples(finite, finite), min_size=5, max_size=5))
    def test_it_is_a_square_about_the_eyes(self, points):
        try:
            corners = alignment.quad(points)
        except ValueError:
            assume(False)
        assume(alignment.side(corners) > 1e-6)
        right, down = corners[3] - corners[0], corners[1] - corners[0]
        near = 1e-9 * alignment.side(corners)
        np.testing.assert_allclose(down, (-right[1], right[0]), atol=near)
        np.testing.assert_allclose(corners[2], corners[0] + right + down, atol=near)

    @pytest.mark.parametrize(
        "points",
        [
            [(3, 4)] * 5,
            [(math.nan, 50), *FACE[1:]],
            [*FACE[:4], (math.inf, 80)],
            # As far above the eyes as they are apart: no direction is left.
            [(0, 0), (10, 0), (5, -5), (5, -10), (5, -10)],
        ],
    )
    def test_points_without_a_square_are_refused(self, points):
        with pytest.raises(ValueError, match=r"not finite|span no square"):
            alignment.quad(points)


class TestPositions:
    @given(quad=squares, size=st.integers(1, 500))
    def test_corners_of_the_square_are_corners_of_the_crop(self, quad, size):
        expected = [(0, 0), (0, size), (size, size), (size, 0)]
        found = crop.to_crop(quad, quad, size)
        np.testing.assert_allclose(found, expected, atol=1e-6 * size)

    def test_eyes_come_out_level(self):
        turned = FACE @ np.array([[0.8, 0.6], [-0.6, 0.8]])
        points = crop.to_crop(turned, alignment.quad(turned), 256)
        assert points[0, 1] == pytest.approx(points[1, 1])
        assert points[0, 0] < points[1, 0]
        assert points[3, 1] > points[0, 1]

    @pytest.mark.parametrize("angle", [0.0, 0.4, -1.3, 2.9])
    @pytest.mark.parametrize("max_size", [None, 150, 70, 31])
    def test_a_dot_is_found_where_to_crop_says(self, angle, max_size):
        dot = np.array([(113.0, 88.0)])
        y, x = np.mgrid[:200, :220] + 0.5
        spot = 255 * np.exp(-((x - 113) ** 2 + (y - 88) ** 2) / (2 * 6**2))
        image = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
        quad = square(105, 95, 160, angle)
        cut = crop.cut(image, quad, max_size)[..., 0].astype(float)
        y, x = np.mgrid[: len(cut), : len(cut)] + 0.5
        found = np.array([(cut * x).sum(), (cut * y).sum()]) / cut.sum()
        (expected,) = crop.to_crop(dot, quad, len(cut))
        np.testing.assert_allclose(found, expected, atol=0.05)

    def test_reaching_outside(self):
        assert not alignment.reaches_outside(square(50, 40, 80), 100, 80)
        assert alignment.reaches_outside(square(50, 40, 80.2), 100, 80)
        assert alignment.reaches_outside(square(50, 40, 80, 0.1), 100, 80)
        assert alignment.reaches_outside(square(500, 40, 10), 100, 80)


class TestCut:
    def test_a_square_on_whole_pixels_is_copied(self):
        image = texture(120, 100)
        cut = crop.cut(image, square(50, 40, 60))
        np.testing.assert_array_equal(cut, image[10:70, 20:80])

    def test_a_square_on_its_side_is_turned_upright(self):
        image = texture(120, 100)
        cut = crop.cut(image, square(50, 40, 60, math.pi / 2))
        np.testing.assert_array_equal(cut, np.rot90(image[10:70, 20:80]))

    @settings(deadline=None)
    @given(
        quad=squares, max_size=st.none() | st.integers(1, 200), padding=st.booleans()
    )
    @example(square(45, 30, 1), None, True)
    @example(square(-5000, 9000, 120, 0.3), 40, True)
    @example(square(45, 30, 1500, 0.3), 3, True)
    def test_every_square_gives_a_square_crop(self, quad, max_size, padding):
        cut = crop.cut(SMALL, quad, max_size, padding)
        size = alignment.size_of(quad, max_size)
        assert size == min(round(alignment.side(quad)), max_size or 10_000)
        assert cut.shape == (size, size, 3)
        assert cut.dtype == np.uint8

    @pytest.mark.parametrize("width, height", [(1, 1), (1, 300), (300, 2)])
    def test_slivers_of_images(self, width, height):
        image = np.full((height, width, 3), 90, np.uint8)
        cut = crop.cut(image, square(1, 1, 200, 0.2), 20)
        assert (cut == 90).all()

    def test_too_small_for_a_pixel_is_refused(self):
        assert crop.cut(SMALL, square(45, 30, 0.6)).shape == (1, 1, 3)
        with pytest.raises(ValueError, match="too small to cut"):
            crop.cut(SMALL, square(45, 30, 0.4))

    def test_the_image_is_not_touched(self):
        image = SMALL.copy()
        image.flags.writeable = False
        crop.cut(image, square(10, 10, 50))
        crop.cut(image, square(45, 30, 50))
        np.testing.assert_array_equal(image, SMALL)

    @pytest.mark.parametrize("transpose", [False, True])
    def test_sides_beyond_16_bits(self, transpose):
        long = np.tile(texture(500, 80), (1, 90, 1))
        quad, near = square(44_950, 45, 90, 0.1), square(450, 45, 90, 0.1)
        image = long[:, -500:]
        if transpose:
            long, image = long.transpose(1, 0, 2), image.transpose(1, 0, 2)
            quad, near = quad[:, ::-1][[0, 3, 2, 1]], near[:, ::-1][[0, 3, 2, 1]]
        cut, expected = crop.cut(long, quad), crop.cut(image, near)
        assert np.abs(cut.astype(int) - expected).max() <= 1

    def test_thread_count_does_not_change_a_byte(self, photo):
        threads = cv2.getNumThreads()
        quad = square(300, 300, 700, 0.2)
        try:
            cuts = []
            for count in (1, 4):
                cv2.setNumThreads(count)
                cuts.append(crop.cut(photo, quad, 300))
        finally:
            cv2.setNumThreads(threads)
        np.testing.assert_array_equal(*cuts)


class TestShrinking:
    @pytest.mark.parametrize("size", [389, 256, 187, 112, 64, 40])
    def test_as_good_as_supersampling(self, photo, size):
        quad = square(640, 443, 400, 0.2)
        fine = crop.cut(photo, quad)
        cut = crop.cut(photo, quad, size)
        for kernel in (Image.Resampling.BOX, Image.Resampling.LANCZOS):
            reduced = Image.fromarray(fine).resize((size, size), kernel)
            assert psnr(cut, np.asarray(reduced)) > 29

    @pytest.mark.parametrize("size", [100, 64, 50, 25, 20, 12])
    def test_every_source_pixel_counts(self, size):
        noise = np.random.default_rng(0).integers(0, 2, (300, 300, 1)) * 255
        image = np.repeat(noise, 3, axis=2).astype(np.uint8)
        cut = crop.cut(image, square(150, 150, 200, 0.1), size)
        # The mean of n independent pixels varies less by the root of n.
        assert cut.std() < 1.1 * noise.std() * size / 200


class TestPadding:
    @settings(deadline=None)
    @given(quad=squares, max_size=st.none() | st.integers(1, 200))
    def test_pixels_well_inside_the_image_stay_as_they_are(self, quad, max_size):
        padded = crop.cut(SMALL, quad, max_size)
        plain = crop.cut(SMALL, quad, max_size, padding=False)
        x, y = source_positions(quad, len(padded))
        side, reach = alignment.side(quad), overreach(quad, 90, 60)
        into = np.stack([x, y, 90 - x, 60 - y], axis=-1)
        bands = np.where(reach > 0, np.maximum(reach + 0.1 * side, 0.3 * side), 0)
        inside = (into > bands / 3 + 1e-3).all(axis=-1)
        np.testing.assert_array_equal(padded[inside], plain[inside])

    @settings(deadline=None)
    @given(quad=squares)
    def test_without_padding_the_outside_is_black(self, quad):
        image = np.full((60, 90, 3), 200, np.uint8)
        cut = crop.cut(image, quad, padding=False)
        x, y = source_positions(quad, len(cut))
        past = np.max([-x, x - 90, -y, y - 60], axis=0)
        assert (cut[past > 1e-3] == 0).all()
        assert (cut[past < -1e-3] == 200).all()

    def test_one_colour_stays_one_colour(self):
        image = np.full((60, 90, 3), (10, 120, 250), np.uint8)
        cut = crop.cut(image, square(5, 5, 70, 0.4))
        assert (cut == (10, 120, 250)).all()

    @pytest.mark.parametrize(
        "quad",
        [
            square(640, 180, 420, 0.1),
            square(180, 443, 420, -0.2),
            square(1120, 500, 400, 0.3),
            square(600, 720, 420, 0.0),
            square(170, 170, 400, 0.05),
        ],
    )
    def test_it_looks_as_in_ffhq(self, photo, quad):
        cut, reference = crop.cut(photo, quad), ffhq_reference(photo, quad)
        outside = crop.cut(np.full_like(photo, 255), quad, padding=False)[..., 0] == 0
        difference = np.abs(cut.astype(int) - reference)
        assert 0.05 < outside.mean() < 0.6
        assert difference[outside].mean() < 4
        assert psnr(cut[outside], reference[outside]) > 36
        assert difference[~outside].max() < 16

    def test_it_fades_towards_the_median_far_outside(self):
        image = texture(300, 300)
        cut = crop.cut(image, square(-100, 150, 300)).astype(float)
        assert cut[:, :20].std() < 0.5 * cut[:, 130:180].std()


def source_positions(quad: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the centres of the pixels of a crop lie in the source, as x and y."""
    v, u = (np.mgrid[:size, :size] + 0.5) / size
    right, down = quad[3] - quad[0], quad[1] - quad[0]
    positions = quad[0] + u[..., None] * right + v[..., None] * down
    return positions[..., 0], positions[..., 1]


def overreach(quad: np.ndarray, width: int, height: int) -> np.ndarray:
    """How far the square passes the left, upper, right and lower edge."""
    return np.concatenate([-quad.min(axis=0), quad.max(axis=0) - (width, height)])


class TestEncode:
    def test_it_is_a_plain_jpeg_in_full_colour_resolution(self, photo):
        cut = crop.cut(photo, square(640, 443, 300))
        content = encode.encode(cut)
        with Image.open(BytesIO(content)) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (300, 300))
            assert JpegImagePlugin.get_sampling(image) == 0
            assert not image.getexif()
            assert not {"icc_profile", "comment", "exif"} & image.info.keys()
            assert psnr(np.asarray(image), cut) > 36

    def test_equal_pixels_give_equal_bytes(self, photo):
        quad = square(100, 100, 300, 0.3)
        first, second = (encode.encode(crop.cut(photo, quad)) for _ in range(2))
        assert first == second
