import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtst_flow.dataset.manifest import ManifestRow, write_manifest
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.runtime import job, progress
from dtst_flow.runtime.job import Shard, work
from dtst_flow.runtime.progress import Progress


class Halver:
    """A worker for even numbers."""

    def __call__(self, row: ManifestRow, /) -> dict:
        number = int(row.stem)
        if number % 2:
            raise UnreadableImage(f"{number} is odd")
        half = number // 2
        return {"path": row.path, "half": half, "computed": half > 1}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("workers", [1, 3])
def test_work_tells_what_became_of_every_image(tmp_path, monkeypatch, caplog, workers):
    monkeypatch.chdir(tmp_path)
    write_manifest("s01.jsonl", (ManifestRow(f"{n}.png", "", f"{n}") for n in range(7)))
    with caplog.at_level("INFO"):
        done, failures = work("halve", "s01.jsonl", Halver, workers, 60)
    assert done == [{"path": f"{2 * half}.png", "half": half} for half in range(4)]
    assert failures == [
        {"path": f"{n}.png", "reason": f"{n} is odd"} for n in (1, 3, 5)
    ]
    assert "1.png: 1 is odd" in caplog.messages
    assert caplog.messages[-1] == "s01: 7 images, 2 computed, 3 failed"
    told = json.loads(Path(".dtst/progress/halve.s01.json").read_text())
    assert told == {"total": 7, "done": 7, "computed": 2, "failed": 3}


class TestSlow:
    def test_what_takes_long_is_listed_while_it_does(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_manifest("s01.jsonl", [])
        tell = Shard("embed", "s01.jsonl", 1).patience(60).tell
        folder = Path(".dtst/progress")
        assert progress.slow_of(folder) == []
        tell({"b.png": 30.0, "a.png": 12.0})
        assert progress.slow_of(folder) == [("embed", "a.png"), ("embed", "b.png")]
        tell({})
        assert progress.slow_of(folder) == []


class TestProgress:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def clock(self, monkeypatch):
        """Seconds that pass only when a test says so."""
        seconds = [100.0]
        monkeypatch.setattr(progress, "monotonic", lambda: seconds[0])
        return seconds

    def told(self) -> dict:
        return json.loads(Path(".dtst/progress/embed.s01.json").read_text())

    def test_it_tells_at_once_what_there_is_to_do(self):
        Progress("embed", "s01", 7)
        assert self.told() == {"total": 7, "done": 0, "computed": 0, "failed": 0}

    def test_it_counts(self, clock):
        progress = Progress("embed", "s01", 4)
        progress.tick()
        progress.tick(computed=True)
        progress.tick(failed=True)
        assert self.told()["done"] == 0
        progress.tell()
        assert self.told() == {"total": 4, "done": 3, "computed": 1, "failed": 1}

    def test_what_an_attempt_computed_that_was_cut_off_counts(self, clock):
        first = Progress("embed", "s01", 4)
        first.tick(computed=True)
        first.tell()
        second = Progress("embed", "s01", 4)
        second.tick()
        second.tick(computed=True)
        second.tell()
        expected = {"total": 4, "done": 2, "computed": 2, "failed": 0}
        assert self.told() == expected

    def test_it_writes_no_more_than_twice_a_second(self, clock):
        progress = Progress("embed", "s01", 99)
        seen = set()
        for _ in range(30):
            clock[0] += 0.1
            progress.tick(computed=True)
            seen.add(self.told()["done"])
        assert 4 <= len(seen) <= 6


def log_of(log: Path, script: str) -> subprocess.CompletedProcess:
    """Run a script that logs to a file."""
    return subprocess.run(
        [sys.executable, "-c", f"log = {str(log)!r}\n{script}"],
        env={**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[2])},
        capture_output=True,
        text=True,
    )


def test_all_output_goes_to_the_log(tmp_path):
    log = tmp_path / "logs/embed/s0.log"
    script = """
import logging, os, subprocess, sys
from dtst_flow.runtime.job import logged
print("before")
with logged(log):
    print("printed")
    logging.getLogger("x").info("logged caf\\udce9.jpg")
    os.write(2, b"by a library\\n")
    subprocess.run(["echo", "by a child"])
    sys.stdout.flush()
    raise ValueError("the end")
"""
    done = log_of(log, script)
    assert done.returncode == 1
    assert done.stdout == "before\n" and done.stderr == ""
    lines = log.read_text().splitlines()
    assert {"printed", "logged caf\\udce9.jpg", "by a library", "by a child"} <= {
        *lines
    }
    assert lines[-1] == "ValueError: the end"


FULL = """
import errno, os
from dtst_flow.runtime.job import logged
with logged(log):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "faces/a.jpg")
"""


def test_a_full_disk_is_told_in_a_sentence(tmp_path):
    done = log_of(tmp_path / "s0.log", FULL)
    (line,) = (tmp_path / "s0.log").read_text().splitlines()
    assert "No space left on device: 'faces/a.jpg'; " in line
    assert "MB are free in" in line
    assert done.returncode == 1 and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_it_is_told_the_user_where_the_log_has_no_room_either():
    done = log_of(Path("/dev/full"), FULL)
    assert "No space left on device: 'faces/a.jpg'; " in done.stderr


def test_what_is_in_the_way_of_state_is_told_in_a_sentence(tmp_path):
    script = """
import os
from dtst_flow.runtime.job import logged
from dtst_flow.utils.tables import write_table
os.chdir(os.path.dirname(log))
os.makedirs(".dtst/x.jsonl")
with logged(log):
    write_table(".dtst/x.jsonl", [])
"""
    assert log_of(tmp_path / "s0.log", script).returncode == 1
    (line,) = (tmp_path / "s0.log").read_text().splitlines()
    assert line == ".dtst/x.jsonl: Is a directory; move it away"


def test_a_folder_that_cannot_be_written_into_is_named(tmp_path, monkeypatch):
    error = PermissionError(errno.EACCES, "no", str(tmp_path / ".dtst-1.tmp"))
    assert "are free" in job._sentence_of(error)  # as root may write anywhere
    monkeypatch.setattr(job, "why_not_writable", lambda folder: "it belongs to ann")
    said = job._sentence_of(error)
    assert said == f"{tmp_path} cannot be written to: it belongs to ann"
