import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dtst_flow.cli import child
from dtst_flow.cli.console import Voice
from dtst_flow.cli.watch import TAIL, Start, Watched, watch
from dtst_flow.dataset.state import PROGRESS


def failed(rule: str, *logs: str) -> dict:
    return {"kind": "failed", "rule": rule, "logs": list(logs)}


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Path:
    """A dataset folder seen from the folder that it is in; its name has a space."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my crowd/logs").mkdir(parents=True)
    return Path("my crowd")


def test_a_failed_job_is_told_by_the_end_of_its_log(dataset):
    lines = [f"line {n}" for n in range(TAIL + 5)]
    (dataset / "logs/s.log").write_text("\n\n".join(lines))
    watched = Watched(code=1)
    for _ in range(2):  # it was tried again
        watched.take(failed("extract_faces", "logs/s.log"))
    watched.take({"kind": "error", "text": "exiting because a job failed"})
    (told,) = watched.errors(dataset)
    *tail, last = told.splitlines()
    assert tail == lines[-TAIL:]
    before, _, path = last.partition("; its log: ")
    assert before == "extract-faces failed"
    assert Path(*shlex.split(path)).samefile(dataset / "logs/s.log")


def test_a_failed_job_without_a_log_is_named(dataset):
    watched = Watched(code=1)
    watched.take(failed("embed", "logs/none.log"))
    (told,) = watched.errors(dataset)
    assert told == "embed failed; its log: 'my crowd/logs/none.log'"


def test_what_we_say_comes_before_what_snakemake_says(dataset):
    watched = Watched(code=1)
    watched.take({"kind": "error", "text": "there is no image"})
    watched.take({"kind": "error", "text": "WorkflowError: there is no image"})
    assert watched.errors(dataset) == ["there is no image"]


@pytest.mark.parametrize(
    ("printed", "told"),
    [("first\nlast word\n", "last word"), ("", "Snakemake ended with 3")],
)
def test_without_an_event_its_last_words_count(dataset, printed, told):
    (error,) = Watched(code=3, printed=printed).errors(dataset)
    assert error.startswith(f"{told} (-v shows")


def test_how_far_a_run_got():
    watched = Watched()
    assert watched.how_far() == ""
    watched.progress = {
        "detect": Counter(total=9, done=9),
        "extract_classes": Counter(total=9, done=4),
    }
    assert watched.how_far() == " in extract-classes: 4 of 9 images done"


def test_jobs_are_counted_but_for_the_last_that_does_nothing():
    watched = Watched()
    for rule in ("inventory_detect", "detect", "all"):
        watched.take({"kind": "began", "job": 1, "rule": rule})
    assert watched.began == 2


@pytest.fixture(params=["fork", "new"])
def program(request, tmp_path, monkeypatch):
    """Returns a function that gives the start of a program in Snakemake's place.

    Once it is a fork, as on Linux, once a Python of its own.
    """
    forks = request.param == "fork"
    monkeypatch.setattr(child, "FORKS", forks)
    monkeypatch.setattr(child, "main", lambda setting: exec(sys.argv[1], {}))
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/snakemake.py").write_text("import sys\nexec(sys.argv[1], {})\n")
    variables = {"SAID": "it", "PYTHONPATH": str(tmp_path / "fake")}

    def program(lines: str, folder: Path) -> Start:
        words = [f"import json, os, sys, time\n{lines}"]
        return Start(words, folder, variables, (), lambda pid: None)

    return program


def test_a_program_is_heard_and_not_seen(program, dataset, tmp_path, capfd):
    (dataset / PROGRESS).mkdir(parents=True)
    (dataset / PROGRESS / "detect.s.json").write_text('{"total": 9, "done": 4}')
    lines = (
        "with open(os.environ['DTST_EVENTS'], 'a') as file:\n"
        "    for event in ({'kind': 'began', 'job': 1, 'rule': 'detect'},\n"
        "                  {'kind': 'noted', 'text': 'so it is'},\n"
        "                  {'kind': 'said', 'text': os.environ['SAID']}):\n"
        "        print(json.dumps(event), file=file)\n"
        "print('loud', os.path.basename(os.getcwd()))\n"
        "sys.exit(3)\n"
    )
    watched = watch(program(lines, dataset), Voice(), tmp_path)
    assert (watched.code, watched.began, watched.said) == (3, 1, ["it"])
    assert watched.printed == "loud my crowd\n"
    assert watched.progress == {"detect": Counter(total=9, done=4)}
    assert capfd.readouterr() == ("", "so it is\n")


def test_ctrl_c_reaches_it_once_and_is_no_error(program, dataset, tmp_path, capfd):
    lines = (
        "try:\n"
        f"    os.kill({os.getpid()}, {signal.SIGINT})\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(5)\n"
    )
    before = signal.getsignal(signal.SIGINT)
    watched = watch(program(lines, dataset), Voice(), tmp_path)
    assert (watched.code, watched.ended_by) == (5, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_before_it_is_started_reaches_it_then(
    program, dataset, tmp_path, monkeypatch
):
    start = child.start

    def interrupted(*words):
        signal.raise_signal(signal.SIGINT)
        return start(*words)

    monkeypatch.setattr(child, "start", interrupted)
    watched = watch(program("time.sleep(60)", dataset), Voice(), tmp_path)
    assert watched.ended_by and watched.code != 0


AT_WORK = (
    "with open(os.environ['DTST_EVENTS'], 'a') as file:\n"
    "    print(json.dumps({'kind': 'began', 'job': 1, 'rule': 'detect'}), file=file)\n"
    "time.sleep(0.5)\n"
)


@pytest.fixture
def no_nohup() -> Iterator[None]:
    """The end of a terminal counts, however these tests were started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("no_nohup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("before", "code"),
    [("", -signal.SIGTERM), (AT_WORK, 5)],
    ids=["loading", "at work"],
)
def test_a_kill_ends_it_as_ctrl_c_does(
    program, before, code, number, dataset, tmp_path, capfd
):
    """While it loads by SIGTERM, which nothing swallows."""
    lines = (
        f"{before}"
        "try:\n"
        f"    os.kill({os.getpid()}, {number})\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(5)\n"
    )
    watched = watch(program(lines, dataset), Voice(), tmp_path)
    assert (watched.code, watched.ended_by) == (code, number)
    assert capfd.readouterr() == ("", "")


def test_a_second_kill_ends_what_the_first_does_not(program, dataset, tmp_path, capfd):
    lines = (
        f"{AT_WORK}"
        "def stubborn(*signal):\n"
        f"    os.kill({os.getpid()}, {signal.SIGTERM})\n"
        "import signal\n"
        "signal.signal(signal.SIGINT, stubborn)\n"
        f"os.kill({os.getpid()}, {signal.SIGTERM})\n"
        "while True:\n"
        "    time.sleep(0.1)\n"
    )
    watched = watch(program(lines, dataset), Voice(), tmp_path)
    assert (watched.code, watched.ended_by) == (-signal.SIGTERM, signal.SIGTERM)
    assert capfd.readouterr().err == "ending the jobs; a moment\n"


def test_what_nohup_starts_outlives_the_terminal(program, dataset, tmp_path):
    lines = f"os.kill({os.getpid()}, {signal.SIGHUP})\n"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        watched = watch(program(lines, dataset), Voice(), tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (watched.code, watched.ended_by) == (0, 0)


def test_nothing_goes_on_unseen(program, dataset, tmp_path, monkeypatch):
    pids = []

    def broken(path):
        raise OSError("the terminal is gone")

    monkeypatch.setattr("dtst_flow.cli.watch.counts_of", broken)
    end = tmp_path / "end"
    lines = f"{AT_WORK}time.sleep(20)\nopen({str(end)!r}, 'w').close()"
    start = program(lines, dataset)
    with pytest.raises(OSError, match="terminal"):
        watch(replace(start, begun=pids.append), Voice(), tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert not end.exists()


def test_each_image_that_takes_long_is_told_once_and_few():
    watched = Watched()
    slow = [("extract_faces", "images/a.jpg"), ("embed", "images/b.jpg")]
    said = [*watched.slow(slow), *watched.slow(slow)]
    assert said[0] == "extract-faces is taking long at 'images/a.jpg'"
    assert len(said) == 2
    assert len(list(watched.slow([("embed", str(n)) for n in range(99)]))) < 20
