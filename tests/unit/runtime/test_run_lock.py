"""One run at a time in a dataset folder, and what dtst says to a second one."""

import json
import os
import platform
import subprocess
import sys

import pytest
from click.testing import CliRunner

from dtst_flow.cli import child
from dtst_flow.cli import main as cli
from dtst_flow.runtime import run_lock
from helpers.dataset import ROOT

LOCK = ".snakemake/locks/0.output.lock"


def run_instead(monkeypatch, program: str) -> None:
    """Let a program run in Snakemake's place, in a fork."""
    monkeypatch.setattr(child, "FORKS", True)
    monkeypatch.setattr(child, "main", lambda setting: exec(program, {}))


@pytest.fixture
def snakemake(monkeypatch):
    """What runs instead of Snakemake: it says whether it sees a lock."""
    run_instead(monkeypatch, f"import os; print('ran', os.path.exists({LOCK!r}))")


def dtst(folder, *words: str):
    (folder / "faces").mkdir(exist_ok=True)
    (folder / "faces/a.jpg").touch()
    words = ("cluster", "-d", str(folder), "--from", "faces", "-m", "dlib", *words)
    return CliRunner().invoke(cli.main, words)


def lock(folder, host: str | None = None) -> None:
    """What a killed Snakemake leaves, and on which machine it ran."""
    (folder / LOCK).parent.mkdir(parents=True)
    (folder / LOCK).touch()
    if host:
        run_lock.begin(folder, "dtst", 4321)
        note = folder / run_lock.NOTE
        note.write_text(note.read_text().replace(platform.node(), host))


def test_a_second_run_is_refused_in_a_sentence(snakemake, tmp_path, capfd):
    held = run_lock.acquire(tmp_path)
    run_lock.begin(tmp_path, "dtst", 1234)
    for words in ((), ("--unlock",), ("--", "--unlock")):
        result = dtst(tmp_path, *words)
        assert result.exit_code == 1
        since = f"{tmp_path} is in use by process 1234 on this machine, since "
        assert since in result.output and " (dtst" in result.output
    assert capfd.readouterr().out == ""
    os.close(held)
    assert dtst(tmp_path).exit_code == 0


def test_a_run_that_has_just_begun_is_not_taken_for_the_one_before(snakemake, tmp_path):
    held = run_lock.acquire(tmp_path)
    assert "in use by another run" in dtst(tmp_path).output
    os.close(held)


def test_the_lock_of_a_killed_run_goes_by_itself(snakemake, tmp_path, capfd):
    lock(tmp_path, platform.node())
    result = dtst(tmp_path, "-v")
    assert result.exit_code == 0
    assert "removed the lock of process 4321 on this machine" in result.output
    assert capfd.readouterr().out == "ran False\n"
    assert run_lock.current(tmp_path) is None


@pytest.mark.parametrize("host", ["node7", None])
def test_a_lock_of_which_nothing_is_known_goes_on_request(
    snakemake, tmp_path, capfd, host
):
    lock(tmp_path, host)
    result = dtst(tmp_path)
    assert result.exit_code == 1 and "--unlock" in result.output
    assert not host or "process 4321 on node7" in result.output
    assert capfd.readouterr().out == ""
    assert dtst(tmp_path, "--unlock", "-v").exit_code == 0
    assert capfd.readouterr().out == "ran False\n"


def test_a_file_system_without_locks_leaves_it_to_the_user(
    snakemake, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_lock, "acquire", lambda dataset: None)
    assert dtst(tmp_path).exit_code == 0
    lock(tmp_path, platform.node())
    assert "--unlock" in dtst(tmp_path).output
    assert dtst(tmp_path, "--unlock").exit_code == 0


def test_dry_runs_need_no_hold(snakemake, tmp_path, capfd):
    held = run_lock.acquire(tmp_path)
    result = dtst(tmp_path, "-n")
    assert result.exit_code == 0
    assert result.output.startswith("cluster: 1 images, 1 to compute")
    assert capfd.readouterr().out == ""
    os.close(held)


def test_the_hold_ends_with_snakemake_not_with_dtst(tmp_path):
    held = run_lock.acquire(tmp_path)
    words = [sys.executable, "-c", "input()"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=(held,))
    os.close(held)
    with pytest.raises(BlockingIOError):
        run_lock.acquire(tmp_path)
    process.kill()
    process.wait()
    os.close(run_lock.acquire(tmp_path))


def test_a_note_that_cannot_be_read_is_none(tmp_path):
    for content in ("", "[1]", '{"pid": 3}', "{"):
        (tmp_path / run_lock.NOTE).parent.mkdir(exist_ok=True)
        (tmp_path / run_lock.NOTE).write_text(content)
        assert run_lock.current(tmp_path) is None


def test_only_ones_own_note_is_withdrawn(tmp_path):
    run_lock.begin(tmp_path, "dtst", 1)
    run_lock.end(tmp_path, 2)
    assert run_lock.current(tmp_path).pid == 1
    run_lock.end(tmp_path, 1)
    assert run_lock.current(tmp_path) is None


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)"])
def test_the_note_of_a_plain_snakemake_goes_with_it_unless_it_is_killed(tmp_path, end):
    program = "import os\nfrom dtst_flow.runtime import run_lock\n"
    program += f"run_lock.begin_plainly({str(tmp_path)!r})\n"
    program += f"print(run_lock.current({str(tmp_path)!r}).command)\n{end}"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    words = [sys.executable, "-u", "-c", program]
    said = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert said.stdout == "snakemake\n"
    assert (tmp_path / run_lock.NOTE).exists() is bool(end)


@pytest.mark.parametrize("state", ["killed", "at work", "just begun", "elsewhere"])
def test_a_plain_snakemake_removes_the_lock_of_one_that_was_killed(tmp_path, state):
    lock = tmp_path / run_lock.SNAKEMAKES / "0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    run_lock.begin(tmp_path, "snakemake", 12)
    if state == "just begun":
        os.utime(lock, (4e9, 4e9))
    if state == "elsewhere":
        note = (tmp_path / run_lock.NOTE).read_bytes()
        host = platform.node().encode()
        (tmp_path / run_lock.NOTE).write_bytes(note.replace(host, b"node7"))
    held = run_lock.acquire(tmp_path) if state == "at work" else None
    told = []
    run_lock.clear_plainly(tmp_path, told.append)
    assert lock.exists() is (state != "killed")
    assert len(told) == (state == "killed")
    assert not told or told[0].startswith("removed the lock of process 12")
    if held is not None:
        os.close(held)


@pytest.mark.parametrize("content", [b"", b"5", b"[]", b'{"a": 1}', b"{garbage"])
def test_a_note_that_is_none_is_passed_over(tmp_path, content):
    run_lock.begin(tmp_path, "dtst", 12)
    (tmp_path / run_lock.NOTE).write_bytes(content)
    assert run_lock.current(tmp_path) is None
    wrong = {"host": "x", "pid": 1, "since": "noon", "command": ""}
    (tmp_path / run_lock.NOTE).write_text(json.dumps(wrong))
    assert run_lock.current(tmp_path) is None


def test_what_it_says_of_a_run_of_another_day():
    run = run_lock.RunInfo("node7", 12, "2026-01-02T14:02:11", "dtst run faces")
    assert str(run) == "process 12 on node7, since 2026-01-02 14:02 (dtst run faces)"


class TestFolder:
    def test_a_foreign_state_folder_is_named(self, snakemake, tmp_path, monkeypatch):
        (tmp_path / ".dtst").mkdir()
        monkeypatch.setattr(os, "access", lambda path, mode: ".dtst" not in str(path))
        result = dtst(tmp_path)
        assert result.exit_code == 1
        owner = (tmp_path / ".dtst").owner()
        assert f"{tmp_path}/.dtst cannot be written to: it belongs to {owner}" in (
            result.output
        )

    def test_a_folder_that_goes_away_is_missed(self, tmp_path, monkeypatch):
        folder, note = tmp_path / "x", tmp_path / "x" / run_lock.NOTE
        program = f"""
import os, shutil, sys, time
while not os.path.exists({str(note)!r}):
    time.sleep(0.01)  # dtst still writes in there
shutil.rmtree({str(folder)!r})
sys.exit(1)
"""
        run_instead(monkeypatch, program)
        (tmp_path / "x").mkdir()
        result = dtst(tmp_path / "x")
        assert result.exit_code == 1 and "is gone: it was moved or" in result.output

    def test_a_failed_run_without_room_says_so(self, tmp_path, monkeypatch):
        run_instead(monkeypatch, "raise SystemExit(1)")
        full = os.statvfs(tmp_path)
        values = [*[*full][:4], 3, *[*full][5:]]
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(values))
        result = dtst(tmp_path)
        assert result.exit_code == 1
        assert "no space left on the file system of" in result.output
        assert "0.0 MB are free" in result.output
