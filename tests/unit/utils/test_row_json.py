import json
import math

import pytest

from dtst_flow.utils import row_json


@pytest.mark.parametrize(
    "value",
    [
        {"path": "Zoë/😀.jpg", "score": 0.1, "stat": [3, 2**62], "box": None},
        {"path": "not\udce9 UTF-8.jpg"},
        [2**70, -(2**64), 1e-300, 0.1 + 0.2, True],
    ],
)
def test_values_come_back_on_one_line(value):
    text = row_json.dumps(value)
    assert b"\n" not in text
    assert row_json.loads(text) == value == json.loads(text)


def test_what_python_wrote_is_read():
    value = row_json.loads(b'[NaN, Infinity, "\\udce9", 1e3]')
    assert math.isnan(value[0]) and value[1:] == [math.inf, "\udce9", 1000.0]


@pytest.mark.parametrize("text", [b"", b"{", b'{"a": 1}}', b"\xff"])
def test_garbage_is_a_value_error(text):
    with pytest.raises(ValueError):
        row_json.loads(text)
