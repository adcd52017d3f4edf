from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtst_flow.faces.detection import Found, fit
from dtst_flow.faces.search import Levels, search, spans

LEVELS = Levels(whole=(192, 640))


@pytest.mark.parametrize(
    ("long_side", "closer"),
    [
        (1, []),
        (3840, []),
        (3841, [641]),
        (12000, [2000]),
        (60_000, [2530, 10_000]),
    ],
)
def test_levels_are_as_close_as_the_photo_is_large(long_side, closer):
    assert LEVELS.closer(long_side) == closer


@given(st.integers(1, 200_000), st.sampled_from([1.0, 4.0, 5.9, 6.0]))
def test_tiles_cover_a_side_and_share_with_their_neighbours(length, shrink):
    parts = spans(length, shrink, LEVELS)
    assert parts[0][0] == 0 and parts[-1][1] == length
    for start, end in parts:
        assert 0 <= start < end and (end - start) / shrink <= 640 + 1
    for (_, end), (start, _) in pairwise(parts):
        assert abs((end - start) / shrink - LEVELS.shared) <= 1


def squares(image: np.ndarray, side: int) -> Found:
    """A detector of white squares from 16 to 300 pixels, half of one at an edge as well."""
    small, scale = fit(image, side, 1)
    white = np.uint8(small[..., 0] > 127)
    rows = cv2.connectedComponentsWithStats(white)[2][1:]
    sizes = rows[:, 2:4].max(axis=1)
    rows = rows[(sizes >= 16) & (sizes <= 300)].astype(float)
    boxes = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]]) * np.tile(scale, 2)
    return Found(boxes, np.ones(len(boxes)), boxes.reshape(-1, 2, 2))


@settings(max_examples=15)
@given(st.lists(st.integers(40, 300), min_size=1, max_size=7), st.data())
def test_a_face_is_found_once_wherever_it_lies(sides, data):
    """Also where tiles meet, and when it is larger than what they share."""
    image = np.zeros((400, 2400, 3), np.uint8)
    wanted = []
    for i, side in enumerate(sides):
        x = 340 * i + data.draw(st.integers(0, 330 - side))
        y = data.draw(st.integers(0, 400 - side))
        image[y : y + side, x : x + side] = 255
        wanted.append((x, y, x + side, y + side))
    levels = Levels(whole=(160,), shrinks=2, tile=320)
    boxes, _, points = search(image, squares, levels, 0.45)
    assert len(boxes) == len(wanted)
    order = boxes[:, 0].argsort()
    np.testing.assert_allclose(boxes[order], wanted, atol=16)
    np.testing.assert_array_equal(boxes, points.reshape(-1, 4))


def test_no_look_is_at_more_than_a_tile():
    looks = []

    def look(image, side):
        looks.append((side, round(max(image.shape) / side, 1)))
        return Found(np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))

    search(np.zeros((3000, 4000, 3), np.uint8), look, LEVELS._replace(shrinks=1), 0.45)
    assert max(side for side, _ in looks) <= 640
    assert {shrink for _, shrink in looks} == {
        5.2,
        1.6,
        2.5,
        1.0,
    }  # the first two of a quarter
