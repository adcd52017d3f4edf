import numpy as np

from dtst_flow.faces import blazeface


def test_an_anchor_of_each_grid_by_hand():
    boxes, logits = np.zeros((896, 8, 2)), np.linspace(-90, 90, 896)
    # In pixels of 128: centre, size, then the eyes, from the anchor on.
    boxes[0, :4] = (4, 8), (64, 32), (-10, 0), (10, 0)
    boxes[512, :4] = (0, 0), (16, 16), (0, -3), (0, 3)
    found = blazeface.decode(boxes.ravel(), logits)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-logits)), atol=1e-9)
    # The first cells begin at 0 and are 8 and 16 pixels wide; a box is a square.
    np.testing.assert_allclose(found.boxes[0], (8 - 24, 12 - 24, 8 + 24, 12 + 24))
    np.testing.assert_allclose(found.boxes[512], (0, 0, 16, 16))
    np.testing.assert_allclose(found.points[0, :2], [(-6, 4), (14, 4)])
    np.testing.assert_allclose(found.points[512, :2], [(8, 5), (8, 11)])
