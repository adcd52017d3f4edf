import io
import json
from collections import Counter

import pyte
import pytest
from rich.console import Console

from dtst_flow.cli import progress
from dtst_flow.cli.bars import Bars
from dtst_flow.cli.console import Voice
from dtst_flow.cli.progress import Display, Lines
from dtst_flow.runtime.progress import counts_of

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
    assert counts_of(tmp_path) == {
        "extract_faces": Counter(total=20, done=7),
        "embed": Counter(total=10, done=5),
    }
    assert counts_of(tmp_path / "none") == {}


def drawn(*steps) -> str:
    """What is on the terminal at the end: what was said, and the bars."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, no_color=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dtst_flow.cli.bars.Console", lambda **_: console)
        with Bars() as bars:
            for step in steps:
                if isinstance(step, str):
                    bars.say(step)
                else:
                    (bars.take if "kind" in step else bars.show)(step)
    terminal = pyte.Screen(100, 50)
    pyte.Stream(terminal).feed(screen.getvalue().replace("\n", "\r\n"))
    return "\n".join(filter(None, map(str.rstrip, terminal.display)))


def test_what_is_said_stands_above_the_bars():
    said, bar = drawn(HALF, "a word [b]of[/b]\nours", DONE).split("ours\n")
    assert said == "a word [b]of[/b]\n"
    assert "60/60" in bar and "38/60" not in bar


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
    with Lines(Voice()) as lines:
        for moment in (1, 29, 31, 40, 62):
            now[0] = moment
            lines.show(HALF)
        now[0] = 100
        lines.show(DONE)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "extract-faces: 38 of 60 images\n" * 2


def test_silence_is_silent(monkeypatch, capsys):
    with Display(Voice()) as silence:
        monkeypatch.setattr(progress, "monotonic", lambda: 1e9)
        silence.show(HALF)
    assert capsys.readouterr() == ("", "")
