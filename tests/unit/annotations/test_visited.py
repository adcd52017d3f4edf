"""Which images detection looked at, in runs that came to their end and others."""

import pytest

from dtst_flow.annotations.visited import Visited
from dtst_flow.utils.tables import write_table


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def begin(*paths: str) -> None:
    write_table("s0.jsonl", [{"path": path, "digest": "v1"} for path in paths])
    Visited("state").begin("s0.jsonl")


def known() -> set[str]:
    return {row["path"] for row in Visited("state").rows()}


def test_at_first_there_are_none():
    assert known() == set()


def test_jobs_tell_until_a_run_has_looked_at_all():
    begin("a.jpg")
    begin("a.jpg", "b.jpg")
    assert known() == {"a.jpg", "b.jpg"}
    Visited("state").commit([("b.jpg", "v1")])
    assert known() == {"b.jpg"}
    begin("c.jpg")
    assert known() == {"b.jpg", "c.jpg"}


def test_what_a_job_begins_while_others_are_summed_up_is_kept():
    begin("a.jpg")
    looked = Visited("state")
    begin("b.jpg")
    assert [row["path"] for row in looked.rows()] == ["a.jpg"]
    looked.commit([("a.jpg", "v1")])
    assert known() == {"a.jpg", "b.jpg"}


def test_rows_that_are_none_are_passed_over():
    begin("a.jpg")
    rows = [5, [1], {"path": 5, "digest": "x"}, {"path": "b.jpg", "digest": []}]
    write_table("state/images.jsonl", rows)
    assert known() == {"a.jpg"}
