import numpy as np
import pytest

from dtst_flow.faces.detection import join, overlaps, suppress
from dtst_flow.faces.scrfd import LEVELS, SAME, ScrfdEngine
from dtst_flow.imaging import decode


def test_gives_what_insightface_gives(shared, group_photo):
    """Boxes and points within a hundredth of a pixel, on what both look at."""
    from insightface.model_zoo.scrfd import SCRFD

    weights = shared / "models/det_500m.onnx"
    ours, theirs = ScrfdEngine(weights), SCRFD(str(weights))
    theirs.prepare(-1)
    square = np.zeros((640, 640, 3), np.uint8)
    photo = decode.read(group_photo)[::2, ::2]
    square[: len(photo), : photo.shape[1]] = photo
    boxes, points = theirs.detect(square[..., ::-1], input_size=(640, 640))
    found = suppress(join([ours._look(square, 640)]), SAME)
    assert len(found.boxes) == len(boxes) == 6
    for box, score, five in zip(*found, strict=True):
        same = int(np.argmax(overlaps(box, boxes[:, :4])))
        np.testing.assert_allclose(box, boxes[same, :4], atol=0.01)
        np.testing.assert_allclose(score, boxes[same, 4], atol=1e-5)
        np.testing.assert_allclose(five, points[same], atol=0.01)


def test_looks_at_sizes_that_all_strides_divide():
    assert all(side % 32 == 0 for side in (*LEVELS.whole, LEVELS.tile))


def test_looks_at_nothing_beside_the_photo(shared):
    engine = ScrfdEngine(shared / "models/det_500m.onnx")
    shapes = []

    class Session:
        def run(self, names, inputs):
            (values,) = inputs.values()
            shapes.append(values.shape[2:])
            assert (values[..., 150:, :] == -127.5 / 128).all()
            cells = [320 * 160 // stride**2 * 2 for stride in (8, 16, 32)]
            return [np.zeros((n, wide)) for wide in (1, 4, 10) for n in cells]

    engine._session = Session()
    assert not len(engine._look(np.zeros((300, 640, 3), np.uint8), 320).boxes)
    assert shapes == [(160, 320)]


def test_refuses_a_model_that_is_no_face_detector(shared):
    with pytest.raises(ValueError, match="no SCRFD model"):
        ScrfdEngine(shared / "models/w600k_mbf_int8.onnx")
