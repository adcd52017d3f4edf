import pytest

from dtst_flow.runtime import events


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv(events.VARIABLE, str(tmp_path / "events.jsonl"))
    return tmp_path / "events.jsonl"


def test_what_is_told_is_read_once(path):
    reader = events.Reader(path)
    assert reader.new() == []
    events.tell("began", job=1, rule="detect")
    events.tell("noted", text="zwei\nZeilen …")
    assert reader.new() == [
        {"kind": "began", "job": 1, "rule": "detect"},
        {"kind": "noted", "text": "zwei\nZeilen …"},
    ]
    assert reader.new() == []
    events.tell("ended", job=1)
    assert reader.new() == [{"kind": "ended", "job": 1}]


def test_half_a_line_waits_for_its_end(path):
    reader = events.Reader(path)
    path.write_bytes(b'{"kind": "ended", "job": 1}\n{"kind": ')
    assert [event["job"] for event in reader.new()] == [1]
    assert reader.new() == []
    with path.open("ab") as file:
        file.write(b'"ended", "job": 2}\n')
    assert [event["job"] for event in reader.new()] == [2]


def test_where_nobody_listens_nothing_is_told(path, monkeypatch):
    monkeypatch.delenv(events.VARIABLE)
    assert not events.are_wanted()
    events.tell("ended", job=1)
    assert not path.exists()


def test_a_disk_that_is_full_fails_no_run(monkeypatch):
    monkeypatch.setenv(events.VARIABLE, "/dev/full")
    events.tell("ended", job=1)
