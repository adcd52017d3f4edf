import json

import pytest

from dtst_flow.cluster.labels import Sight, read_bound, to_json
from dtst_flow.dataset.subjects import overlap


def test_what_is_bound_comes_back(tmp_path):
    bound = {
        ("name", "a.jpg", "Ann"): (Sight("d1", (1.0, 2.0, 3.5, 4.0), 2**63),),
        ("must-link", "a.jpg", "b.jpg"): (Sight("d1", (), 0), Sight("d2", (), 5)),
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(to_json(bound)))
    assert read_bound(path) == bound


@pytest.mark.parametrize("garbage", ["", "{", "[3]", '[{"label": [1]}]', "null", "{}"])
def test_garbage_binds_nothing(tmp_path, garbage):
    (tmp_path / "labels.json").write_text(garbage)
    assert read_bound(tmp_path / "labels.json") == {}
    assert read_bound(tmp_path / "none.json") == {}


def test_overlap_of_boxes():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert overlap((0, 0, 10, 10), (3, 3, 3, 3)) == 0
