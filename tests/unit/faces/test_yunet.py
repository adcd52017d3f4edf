import numpy as np
import pytest
from skimage import data

from dtst_flow.faces import yunet


def test_refuses_what_is_no_such_model(shared):
    with pytest.raises(ValueError, match="no model of YuNet"):
        yunet.YunetEngine(shared / "models/det_500m.onnx")


def test_a_cell_of_each_grid_by_hand(monkeypatch):
    """Made up outputs: one face in the second cell of every grid."""
    engine = object.__new__(yunet.YunetEngine)
    engine._input, engine._outputs = "input", []

    class Session:
        def run(self, names, inputs):
            (planes,) = inputs.values()
            assert planes.shape == (1, 3, 160, 320) and planes.dtype == np.float32
            assert planes[0, :, 0, 0].tolist() == [30, 20, 10]  # blue comes first
            outputs = []
            for stride in (8, 16, 32):
                cells = 160 * 320 // stride**2
                scores = np.zeros((1, cells, 1), np.float32)
                scores[0, 1] = 0.81
                box, points = np.zeros((cells, 4)), np.zeros((cells, 10))
                box[1] = 0.5, 1, np.log(2), np.log(4)
                points[1] = np.arange(10)
                outputs += [scores, np.ones_like(scores), box[None], points[None]]
            return outputs

    engine._session = Session()
    image = np.full((320, 640, 3), (10, 20, 30), np.uint8)
    boxes, scores, points = engine.look(image, 320)
    np.testing.assert_allclose(scores, 0.9, rtol=1e-6)
    for i, stride in enumerate((8, 16, 32)):
        middle = np.array((1.5 * stride, stride))
        half = np.array((stride, 2 * stride))
        expected = 2 * np.hstack([middle - half, middle + half])
        np.testing.assert_allclose(boxes[i], expected, rtol=1e-6)
        steps = np.arange(10).reshape(5, 2) * stride + np.array((stride, 0))
        np.testing.assert_allclose(points[i], 2 * steps)


def test_a_photo_of_a_sure_face_is_looked_at_as_often_as_there_are_levels(shared):
    engine = yunet.YunetEngine(shared / "models/yunet_n_dynamic.onnx")
    shapes = []
    run = engine._session.run

    class Session:
        def run(self, names, inputs):
            (values,) = inputs.values()
            shapes.append(values.shape[2:])
            return run(names, inputs)

    engine._session = Session()
    (face,) = engine.find(data.astronaut())
    assert face.score > yunet.SURETY.upright
    assert shapes == [(192, 192), (640, 640)]
