import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.faces.base import Face
from dtst_flow.faces.detection import Found
from dtst_flow.faces.turning import AROUND_SIDE, SIDE, Surety, back, find, turn

SURETY = Surety(upright=0.9, turned=0.8)


class Detector:
    """Sees a face where a photo's red corner is, the surer the nearer it stands to upright.

    Args:
        scores: By how many quarters clockwise the photo still is to be turned.
    """

    def __init__(self, *scores: float):
        self.scores = scores
        self.looks: list[int] = []

    def look(self, image: np.ndarray, side: int) -> Found:
        self.looks.append(max(image.shape))
        faces = self._see(image)
        return Found(
            np.array([face.box for face in faces]).reshape(-1, 4),
            np.array([face.score for face in faces]),
            np.array([face.points for face in faces]).reshape(-1, 5, 2),
        )

    def find(self, image: np.ndarray) -> list[Face]:
        return self._see(image)

    def _see(self, image: np.ndarray) -> list[Face]:
        """The red corner is the top left one of an upright photo."""
        places = [(0, 0), (-1, 0), (-1, -1), (0, -1)]
        turns = [bool(image[place][0] > 200) for place in places].index(True)
        score = self.scores[turns]
        points = ((3.0, 4.0), (9.0, 4.0), (6.0, 6.0), (4.0, 9.0), (8.0, 9.0))
        return [Face((1.0, 2.0, 31.0, 33.0), score, points)] if score else []


@pytest.fixture
def photo() -> np.ndarray:
    photo = np.zeros((60, 80, 3), np.uint8)
    photo[:20, :20, 0] = 255
    return photo


def test_a_photo_with_a_sure_face_is_looked_at_once(photo):
    detector = Detector(0.9, 1, 1, 1)
    (face,) = find(photo, detector.find, detector.look, SURETY)
    assert (face.score, face.turned, detector.looks) == (0.9, 0, [])


def test_one_without_faces_costs_three_small_looks(photo):
    detector = Detector(0, 0.7, 0.7, 0.7)
    large = np.repeat(np.repeat(photo, 10, 0), 10, 1)
    assert find(large, detector.find, detector.look, SURETY) == []
    assert detector.looks == [SIDE] * 3


def test_one_with_an_unsure_face_is_looked_at_around_it(photo):
    detector = Detector(0.7, 0.7, 0.7, 0.7)
    large = np.repeat(np.repeat(photo, 10, 0), 10, 1)
    assert len(find(large, detector.find, detector.look, SURETY)) == 1
    assert detector.looks == [AROUND_SIDE] * 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("astray", [0.0, 0.7, 0.89])
def test_the_surest_way_to_turn_a_photo_counts(photo, quarters, astray):
    detector = Detector(0.95, *[astray] * 3)
    (face,) = find(turn(photo, -quarters), detector.find, detector.look, SURETY)
    assert (face.score, face.turned) == (0.95, 90 * quarters)


@pytest.mark.parametrize("others", [0.0, 0.79, 0.85])
def test_others_must_be_sure_and_surer(photo, others):
    detector = Detector(0.85, others, others, others)
    (face,) = find(photo, detector.find, detector.look, SURETY)
    assert (face.score, face.turned) == (0.85, 0)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.data())
def test_positions_come_back_to_their_pixels(height, width, quarters, data):
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    image = np.zeros((height, width, 3), np.uint8)
    image[y, x] = 1
    turned = turn(image, quarters)
    (row,), (column,) = np.nonzero(turned[..., 0])
    middle = (column + 0.5, row + 0.5)
    face = Face((column, row, column + 1, row + 1), 1.0, (middle,) * 5)
    there = back(face, quarters, *turned.shape[:2])
    assert there.box == (x, y, x + 1, y + 1)
    assert there.points == ((x + 0.5, y + 0.5),) * 5
    assert there.turned == 90 * quarters
