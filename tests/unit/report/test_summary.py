import os
from pathlib import Path

import pytest

from dtst_flow.dataset.state import PROGRESS, state_of
from dtst_flow.report.summary import outcome, sentences, written_at
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import write_table

BUCKETS = {"extract_faces": "faces", "cluster": "cluster"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def sum_up(stage: str, sentence: str, seconds: int = 7) -> None:
    path = state_of(BUCKETS[stage]) / "summary.json"
    write_atomic(path, to_json({"said": [sentence], "images": 5}))
    os.utime(path, (seconds, seconds))


def work(rule: str, computed: int, began: float, ended: float) -> None:
    path = PROGRESS / f"{rule}.s.json"
    write_atomic(path, to_json({"computed": computed, "failed": 0}))
    write_atomic(path.with_suffix(".cost"), to_json({"began": began, "ended": ended}))


def told(*values, **more) -> list[str]:
    return list(sentences(outcome(BUCKETS, *values, **more)))


def test_it_tells_of_all_stages_in_order():
    sum_up("cluster", "2 clusters")
    sum_up("extract_faces", "5 crops")
    assert told() == [
        f"extract-faces -> {Path('faces').resolve()}",
        "  5 crops",
        f"cluster -> {Path('cluster').resolve()}",
        "  2 clusters",
    ]


def test_it_leaves_out_what_was_there_before():
    sum_up("extract_faces", "5 crops")
    sum_up("cluster", "2 clusters")
    before = written_at(BUCKETS)
    assert told(before) == []
    sum_up("extract_faces", "6 crops", 8)
    assert [stage["stage"] for stage in outcome(BUCKETS, before)] == ["extract-faces"]


def test_without_any_before_all_is_new():
    before = written_at(BUCKETS)
    sum_up("cluster", "2 clusters")
    assert "  2 clusters" in told(before)


def test_it_tells_what_was_computed_and_how_long_that_took():
    sum_up("cluster", "2 clusters")
    work("embed", 3, 100, 104)
    work("cluster", 1, 105, 106.5)
    assert "  3 images computed, in 5.5 s" in told()
    (stage,) = outcome(BUCKETS)
    assert (stage["computed"], stage["seconds"], stage["images"]) == (3, 5.5, 5)
    assert told(worked=False)[-1] == "  2 clusters"


def test_a_few_failures_are_shown_and_all_are_listed():
    sum_up("extract_faces", "5 crops")
    listed = state_of("faces") / "failed.jsonl"
    rows = [{"path": f"{i}\x1b.jpg", "reason": "broken", "cause": None} for i in "abcd"]
    write_table(listed, rows)
    *_, last, more = told()
    assert last == r"  failed: 'c\x1b.jpg': broken"
    assert more == f"  ... and 1 more, listed in {listed.resolve()}"
    (stage,) = outcome(BUCKETS)
    assert stage["failures"][0] == {"path": "a\x1b.jpg", "reason": "broken"}
    assert stage["list"] == str(listed.resolve())


def test_sidecars_are_no_folder():
    write_atomic(state_of(".detect") / "summary.json", to_json({"said": ["7 boxes"]}))
    lines = list(sentences(outcome({"detect": ".detect"})))
    assert lines == ["detect -> sidecars", "  7 boxes"]
