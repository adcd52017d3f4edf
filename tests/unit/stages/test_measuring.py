"""What is known of an image by its sidecar, whoever wrote it."""

import pytest

from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.stages.measuring import COLUMNS, facts
from dtst_flow.utils.files import to_json

BOX = [10, 10, 50, 50]


@pytest.mark.parametrize(
    ("sidecar", "metrics", "classes"),
    [
        (None, {}, {}),
        ({"metrics": {"blur": 5, "yaw": -1.5}}, {"blur": 5, "yaw": -1.5}, {}),
        ({"metrics": {"phash": "ab", "x": True, "y": None, "z": [1]}}, {}, {}),
        ({"metrics": [5], "classes": 3}, {}, {}),
        (
            {
                "classes": {
                    "cup": [{"box": BOX, "score": 0.2}, {"box": BOX, "score": 0.7}]
                }
            },
            {},
            {"cup": 0.7},
        ),
        ({"classes": {"cup": [{"box": BOX}], "cat": []}}, {}, {"cup": 1.0}),
        ({"classes": {"cup": [{"box": [1], "score": 1}, 3], "cat": None}}, {}, {}),
        (b"{", {}, {}),
        (b'{"metrics": {"a": NaN, "b": Infinity, "c": 1e999}}', {}, {}),
        (b'{"metrics": {"a": 1' + b"0" * 400 + b"}}", {"a": 10**400}, {}),
    ],
)
def test_facts_are_numbers_and_scores(sidecar, metrics, classes, tmp_path):
    path = tmp_path / "a.jpg"
    if sidecar is not None:
        raw = sidecar if isinstance(sidecar, bytes) else to_json(sidecar)
        (tmp_path / "a.jpg.json").write_bytes(raw)
    row = facts(ManifestRow(str(path), "digest", "a"), (3, 4))
    assert row.keys() == COLUMNS
    assert (row["metrics"], row["classes"], row["size"]) == (metrics, classes, (3, 4))
