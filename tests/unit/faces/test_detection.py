import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.faces.detection import Found, corners, fit, join, overlaps, suppress

corner = st.floats(-1000, 1000)
length = st.floats(1, 500)
box = st.tuples(corner, corner, length, length).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
some_found = st.lists(st.tuples(box, st.floats(0, 1)), max_size=12).map(
    lambda rows: found(*rows)
)


def found(*rows) -> Found:
    """Faces of these boxes and scores, whose points do not matter."""
    boxes = np.array([box for box, _ in rows], float).reshape(-1, 4)
    scores = np.array([score for _, score in rows])
    return Found(boxes, scores, np.zeros((len(rows), 5, 2)))


class TestSuppression:
    def test_overlaps_by_hand(self):
        others = np.array([(0, 0, 2, 2), (1, 0, 3, 2), (2, 0, 4, 2), (5, 5, 5, 5)])
        np.testing.assert_allclose(
            overlaps(np.array([0, 0, 2, 2]), others), [1, 1 / 3, 0, 0]
        )

    @given(some_found)
    def test_keeps_the_surest_of_each_crowd(self, seen):
        kept = suppress(seen, 0.3)
        assert list(kept.scores) == sorted(kept.scores, reverse=True)
        for i, box in enumerate(kept.boxes):
            assert (overlaps(box, kept.boxes[:i]) <= 0.3).all()
        for box, score in zip(seen.boxes, seen.scores, strict=True):
            surer = kept.boxes[kept.scores >= score]
            assert (overlaps(box, surer) > 0.3).any()

    def test_of_equals_the_first_stays(self):
        twins = found(((0, 0, 9, 9), 0.5), ((1, 0, 10, 9), 0.5))
        np.testing.assert_array_equal(suppress(twins, 0.3).boxes, [(0, 0, 9, 9)])


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([64, 320]))
def test_an_image_is_fitted_whole_into_the_top_left_corner(height, width, side):
    """Whole but for what is odd where it is halved, as far as three rows of 300."""
    image = np.full((height, width, 3), 255, np.uint8)
    pixels, scale = fit(image, side, 32)
    assert not np.any(np.array(pixels.shape[:2]) % 32)
    rows, columns = np.count_nonzero(pixels[:, 0, 0]), np.count_nonzero(pixels[0, :, 0])
    assert max(columns, rows) == side
    assert (pixels[:rows, :columns] == 255).all()
    assert not pixels[rows:].any() and not pixels[:, columns:].any()
    left_out = (width, height) - scale * (columns, rows)
    assert (left_out > -1e-6).all() and (left_out < 4).all()


def test_corners_come_row_by_row():
    np.testing.assert_array_equal(
        corners(np.arange(6), 24, 8),
        [(0, 0), (8, 0), (16, 0), (0, 8), (8, 8), (16, 8)],
    )


def test_faces_are_told_in_plain_numbers():
    (face,) = join([found(), found(((0, 1, 2, 3), 0.5))]).faces()
    assert (face.box, face.score, face.points) == ((0, 1, 2, 3), 0.5, ((0, 0),) * 5)
    assert {type(v) for v in (*face.box, face.score, *sum(face.points, ()))} == {float}
