import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.embed.arcface import TEMPLATE
from dtst_flow.faces import quality

NO_LIMITS = dict.fromkeys(quality.LIMITS)

GOOD = {
    "face_size": 100.0,
    "sharpness": 0.3,
    "yaw": 0.0,
    "pitch": 0.0,
    "roll": 0.0,
    "score": 0.9,
}


def turn(axis: int, degrees: float) -> np.ndarray:
    """The right-handed rotation about an axis."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    matrix = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[[a, a, b, b], [a, b, a, b]] = cosine, -sine, sine, cosine
    return matrix


def seen(
    yaw: float,
    pitch: float,
    roll: float,
    scale: float = 13.0,
    distance: float = math.inf,
) -> np.ndarray:
    """The five points of MODEL in a photo; distance in centimetres."""
    # Right-handed, a turn about x looks down and one about z is anticlockwise.
    head = quality.MODEL @ (turn(2, -roll) @ turn(1, yaw) @ turn(0, -pitch)).T
    flat = head[:, :2] / (1 - head[:, 2:] / distance)
    return flat * (scale, -scale) + (640, 360)


class TestPose:
    @given(
        yaw=st.floats(-85, 85),
        pitch=st.floats(-60, 60),
        roll=st.floats(-179, 179),
        scale=st.floats(0.5, 300),
    )
    def test_of_points_that_were_projected(self, yaw, pitch, roll, scale):
        found = quality.pose(seen(yaw, pitch, roll, scale))
        assert found == pytest.approx((yaw, pitch, roll), abs=1e-4)

    def test_signs_as_a_viewer_sees_them(self):
        ahead, right, up, tilted = (
            seen(*pose) for pose in [(0, 0, 0), (30, 0, 0), (0, 30, 0), (0, 0, 30)]
        )
        nose = 2
        assert right[nose][0] > ahead[nose][0]
        assert up[nose][1] < ahead[nose][1]
        assert tilted[1][1] > tilted[0][1]  # the eye on the right is lower

    @pytest.mark.parametrize("yaw", [-60, -20, 0, 40])
    @pytest.mark.parametrize("pitch", [-25, 0, 25])
    def test_a_near_camera_costs_few_degrees(self, yaw, pitch):
        found = quality.pose(seen(yaw, pitch, 10, distance=60))
        assert found == pytest.approx((yaw, pitch, 10), abs=7)

    def test_the_mean_face_looks_straight_ahead(self):
        assert quality.pose(TEMPLATE) == pytest.approx((0, 0, 0), abs=0.5)

    def test_points_in_one_place_have_some_pose(self):
        assert all(map(math.isfinite, quality.pose([(5, 5)] * 5)))


class TestQuality:
    def test_the_formula_by_hand(self):
        metrics = GOOD | {"face_size": 16.0, "sharpness": 0.12, "yaw": 60, "pitch": 60}
        expected = (1 - 1 / math.e) ** 2 * 0.5 * 0.5 * 0.9
        assert quality.quality(metrics) == pytest.approx(expected)

    @pytest.mark.parametrize(
        "worse",
        [
            {"face_size": 20.0},
            {"sharpness": 0.1},
            {"yaw": 50.0},
            {"yaw": -50.0},
            {"pitch": 40.0},
            {"score": 0.6},
        ],
        ids=str,
    )
    def test_whatever_is_worse_counts(self, worse):
        assert quality.quality(GOOD | worse) < quality.quality(GOOD)

    def test_the_roll_does_not_count_as_crops_are_level(self):
        assert quality.quality(GOOD | {"roll": 170.0}) == quality.quality(GOOD)

    @given(
        size=st.floats(0, 1e5),
        sharpness=st.floats(0, 100),
        yaw=st.floats(-90, 90),
        pitch=st.floats(-180, 180),
        score=st.floats(-3, 5),  # dlib's
    )
    def test_from_0_to_1(self, size, sharpness, yaw, pitch, score):
        metrics = {"face_size": size, "sharpness": sharpness}
        metrics |= {"yaw": yaw, "pitch": pitch, "score": score}
        assert 0 <= quality.quality(metrics) <= 1


def test_all_metrics_of_a_face():
    metrics = quality.measure(seen(20, -10, 5), 0.91, 0.25)
    assert list(metrics) == [*GOOD, "quality"]
    eyes = np.subtract(*seen(20, -10, 5)[:2])
    assert metrics["face_size"] == pytest.approx(math.hypot(*eyes), abs=0.05)
    assert (metrics["yaw"], metrics["pitch"], metrics["roll"]) == (20, -10, 5)
    assert metrics["quality"] == pytest.approx(quality.quality(metrics), abs=5e-4)
    assert "-0.0" not in str(quality.measure(seen(0, 0, 0), 0.91, 0.25))


class TestLimits:
    def test_without_any_every_face_is_kept(self):
        assert (
            quality.missed_limit(dict.fromkeys(GOOD, 0) | {"quality": 0}, NO_LIMITS)
            == ""
        )

    @pytest.mark.parametrize("setting", quality.LIMITS)
    def test_the_least_value_is_kept_and_less_is_not(self, setting):
        metrics = GOOD | {"quality": 0.5}
        least = metrics[quality.LIMITS[setting]]
        for limit, missed in [(least, ""), (least + 0.01, setting)]:
            assert quality.missed_limit(metrics, NO_LIMITS | {setting: limit}) == missed

    def test_the_first_that_is_missed_is_named(self):
        metrics = GOOD | {"quality": 0.0}
        limits = {"min_size": 101, "min_score": 0.5, "min_quality": 0.1}
        assert quality.missed_limit(metrics, limits) == "min_size"
