"""What strangers wrote steers no terminal: summary, logs and progress spell it out."""

import subprocess
import sys

import pytest

from dtst_flow.cli.console import Ending, Voice
from dtst_flow.report.summary import outcome, sentences
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import write_table
from dtst_flow.utils.text import LONGEST, capped, printable, printable_lines
from helpers.dataset import environment

STEERING = "\x1b[2J\x1b]0;title\a \r\b\x9b1m \u202e \u2028 \udce9"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\u00e9 \u65e5\u672c [red] 100%", "caf\u00e9 \u65e5\u672c [red] 100%"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[2J\u202e\udce9", r"\x1b[2J\u202e\udce9"),
        (5, "5"),
        ("x" * (LONGEST + 1), "x" * LONGEST + "\u2026"),
    ],
)
def test_what_is_shown(text, shown):
    assert printable(text) == shown


def test_lines_stay_lines():
    assert printable_lines("a\n\x1b\nb") == "a\n\\x1b\nb"
    assert printable_lines("a\u2028b\r") == "a\\u2028b\\r"


def test_a_summary_can_be_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = tmp_path / ".dtst/buckets/crops"
    write_atomic(state / "summary.json", to_json({"said": [f"class {STEERING}\n!"]}))
    row = {"path": f"{STEERING}.jpg", "reason": f"because of {STEERING}"}
    write_table(state / "failed.jsonl", [row])
    told = list(sentences(outcome({"extract_classes": "crops"})))
    assert all(line.isprintable() for line in told)
    assert "".join(told).count(r"\x1b[2J") == 3 and len(told) == 3


@pytest.mark.parametrize(
    "end", ["", "raise SystemExit(name)", "raise ModelError(name + chr(10) + name)"]
)
def test_a_log_can_be_shown(tmp_path, end):
    code = (
        "import logging\n"
        "from dtst_flow.models.errors import ModelError\n"
        "from dtst_flow.runtime.job import logged\n"
        f"name = {STEERING!r}\n"
        f"with logged({str(tmp_path / 'x.log')!r}):\n"
        "    logging.getLogger('x').warning('%s: failed', name)\n"
        f"    {end}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment())
    assert done.returncode == bool(end)
    lines = (tmp_path / "x.log").read_text().split("\n")
    assert len(lines) == 2 + bool(end) + ("Model" in end)
    assert all(line.isprintable() for line in lines)


def test_an_error_is_shown_as_text(capsys):
    with pytest.raises(SystemExit):
        Voice().end(Ending(1, [f"[bold]{STEERING}"]))
    shown = capsys.readouterr().err
    assert r"[bold]" in shown and r"\x1b[2J" in shown and "\x1b[2J" not in shown


def test_many_sentences_are_cut_short():
    assert capped(["a", "b"], "in x", 2) == ["a", "b"]
    assert capped(list("abcd"), "in x", 2) == ["a", "b", "and 2 more, all in x"]
    assert capped(["a"] * 100_000, "in x")[-1] == "and 99,980 more, all in x"
