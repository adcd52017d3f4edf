import os
from pathlib import Path

import pytest

from dtst_flow.dataset.state import state_of
from dtst_flow.report.summary import summary, written_at
from dtst_flow.utils.files import to_json, write_atomic

BUCKETS = {"extract_faces": "faces", "cluster": "cluster"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def sum_up(stage: str, sentence: str, seconds: int) -> None:
    path = state_of(BUCKETS[stage]) / "summary.json"
    write_atomic(path, to_json({"said": [sentence]}))
    os.utime(path, (seconds, seconds))


def test_it_tells_of_all_stages_in_order():
    sum_up("cluster", "2 clusters", 7)
    sum_up("extract_faces", "5 crops", 7)
    assert summary(BUCKETS).splitlines() == [
        f"extract-faces -> {Path('faces').resolve()}",
        "  5 crops",
        f"cluster -> {Path('cluster').resolve()}",
        "  2 clusters",
    ]


def test_it_leaves_out_what_was_there_before():
    sum_up("extract_faces", "5 crops", 7)
    sum_up("cluster", "2 clusters", 7)
    before = written_at(BUCKETS)
    assert summary(BUCKETS, before) == ""
    sum_up("extract_faces", "6 crops", 8)
    assert "6 crops" in summary(BUCKETS, before)
    assert "2 clusters" not in summary(BUCKETS, before)


def test_without_any_before_all_is_new():
    before = written_at(BUCKETS)
    sum_up("cluster", "2 clusters", 7)
    assert "2 clusters" in summary(BUCKETS, before)
