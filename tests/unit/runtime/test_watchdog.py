"""A job ends with its Snakemake; here both are small Python programs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dtst_flow.runtime import watchdog
from dtst_flow.utils import locks

SCRIPTS = Path(watchdog.__file__).parents[2]

JOB = """
import time
from dtst_flow.runtime import watchdog
watchdog.watch("jobs.lock")
open("ready", "w").close()
time.sleep(60)
open("survived", "w").close()
"""

SNAKEMAKE = """
import subprocess, sys, time
from dtst_flow.runtime import watchdog
watchdog.announce()
subprocess.Popen({command})
time.sleep(60)
"""


@pytest.fixture(params=["direct", "in a shell"])
def snakemake(request, tmp_path):
    """A process with a job, started directly or, as in a conda environment, by a shell."""
    (tmp_path / "job.py").write_text(JOB)
    command = f"[sys.executable, {str(tmp_path / 'job.py')!r}]"
    if request.param == "in a shell":
        command = f"'{sys.executable} job.py; true', shell=True"
    process = subprocess.Popen(
        [sys.executable, "-c", SNAKEMAKE.format(command=command)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
    )
    until(lambda: (tmp_path / "ready").exists())
    yield process
    process.kill()


def until(come_true, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (there := come_true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return there


def at_work(folder: Path) -> bool:
    """Whether a job has the lock that all share."""
    try:
        os.close(locks.take(folder / "jobs.lock"))
    except BlockingIOError:
        return True
    return False


def test_a_job_ends_with_its_snakemake(snakemake, tmp_path):
    time.sleep(3 * watchdog.INTERVAL)
    assert at_work(tmp_path)
    snakemake.kill()
    snakemake.wait()
    assert until(lambda: not at_work(tmp_path), 10)


@pytest.mark.parametrize("snakemake", ["direct"], indirect=True)
def test_it_ends_also_while_nobody_has_taken_notice_of_the_end(snakemake, tmp_path):
    snakemake.kill()
    assert until(lambda: not at_work(tmp_path), 10)


def test_a_run_waits_for_the_jobs_of_the_one_before(snakemake, tmp_path):
    assert not watchdog.wait(tmp_path / "jobs.lock", 0.5)
    snakemake.kill()
    snakemake.wait()
    assert watchdog.wait(tmp_path / "jobs.lock")


def test_there_is_nothing_to_wait_for_without_jobs(tmp_path):
    assert watchdog.wait(tmp_path / "state/jobs.lock", 0)


def test_outside_of_snakemake_nothing_is_watched(tmp_path, monkeypatch):
    monkeypatch.delenv(watchdog.SNAKEMAKE, raising=False)
    watchdog.watch(tmp_path / "jobs.lock")
    assert not (tmp_path / "jobs.lock").exists()
