import io
import json
from collections import Counter

import pytest
from rich.console import Console

from dtst_flow.cli import progress
from dtst_flow.cli.bars import Bars
from dtst_flow.cli.progress import Lines, Silence, read_progress

HALF = {"extract_faces": Counter(total=60, done=38)}
DONE = {"extract_faces": Counter(total=60, done=60)}


def test_progress_of_all_jobs_is_added_up(tmp_path):
    for name, done in (
        ("extract_faces.s0", 3),
        ("extract_faces.s1", 4),
        ("embed.s", 5),
    ):
        counts = {"total": 10, "done": done}
        (tmp_path / f"{name}.json").write_text(json.dumps(counts))
    (tmp_path / "detect.s.json").write_text('{"total": ')
    assert read_progress(tmp_path) == {
        "extract_faces": Counter(total=20, done=7),
        "embed": Counter(total=10, done=5),
    }
    assert read_progress(tmp_path / "none") == {}


def drawn(*steps) -> str:
    """What the bars show at their end on a terminal."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, no_color=True)
    with Bars(console) as bars:
        for step in steps:
            (bars.take if "kind" in step else bars.show)(step)
    return console.file.getvalue().rpartition("\x1b[2K")[2]


def test_a_bar_tells_how_far_its_stage_is():
    assert "extract-faces" in drawn(HALF)
    assert "38/60" in drawn(HALF)
    assert "60/60" in drawn(HALF, DONE)


@pytest.mark.parametrize(
    ("rule", "name"),
    [("inventory_detect", "listing images"), ("cluster", "clustering")],
)
def test_a_job_about_all_images_has_a_name(rule, name):
    began = {"kind": "began", "job": 3, "rule": rule}
    other = {"kind": "ended", "job": 4}
    assert name in drawn(began, other)
    assert "1/1" not in drawn(began, other)
    assert "1/1" in drawn(began, {"kind": "ended", "job": 3})


def test_other_jobs_show_by_their_images_alone():
    assert "━" not in drawn({"kind": "began", "job": 3, "rule": "collect_faces"})


def test_lines_come_twice_a_minute(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with Lines() as lines:
        for moment in (1, 29, 31, 40, 62):
            now[0] = moment
            lines.show(HALF)
        now[0] = 100
        lines.show(DONE)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "extract-faces: 38 of 60 images\n" * 2


def test_silence_is_silent(monkeypatch, capsys):
    with Silence() as silence:
        monkeypatch.setattr(progress, "monotonic", lambda: 1e9)
        silence.show(HALF)
    assert capsys.readouterr() == ("", "")
