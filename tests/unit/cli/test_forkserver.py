"""Jobs as forks: what a job finds, how it ends, and what becomes of it without its like."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from helpers.dataset import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")

SHELL = """
import os, subprocess, sys
from pathlib import Path
from dtst_flow.cli import forkserver

def shell(command):
    prefix = os.environ[forkserver.PREFIX].replace("{{", "{").replace("}}", "}")
    return subprocess.Popen(["bash", "-c", prefix + command])

with forkserver.beside(Path(sys.argv[1]), ()):
    processes = [shell(command) for command in sys.argv[2:]]
    print(*(process.wait() for process in processes), flush=True)
"""
"""Runs commands as Snakemake does; prints their exit codes."""

TELL = """
import json, os, sys
found = {
    "loaded": "snakemake.script" in sys.modules,
    "words": sys.argv,
    "name": __name__,
    "file": __file__,
    "folder": os.getcwd(),
    "variable": os.environ.get("GIVEN"),
    "threads": len(os.listdir("/proc/self/task")),
}
print(json.dumps(found), flush=True)
"""


@pytest.fixture
def run(tmp_path):
    """Returns a function that starts what runs scripts, each with words after it."""

    def run(*scripts: str, python: str = sys.executable) -> subprocess.Popen:
        commands = []
        for number, text in enumerate(scripts):
            path = tmp_path / f"script {number}.py"
            path.write_text(text)
            commands.append(f"{python} {shlex.quote(str(path))}")
        return subprocess.Popen(
            [sys.executable, "-c", SHELL, str(tmp_path / "{socket}"), *commands],
            cwd=tmp_path,
            env=environment() | {"GIVEN": "a = b\n"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def test_a_job_finds_what_it_would_as_a_python_of_its_own(run, tmp_path):
    printed, errors = run(TELL).communicate()
    assert not errors
    line, codes = printed.splitlines()
    assert codes == "0"
    script = str(tmp_path / "script 0.py")
    assert json.loads(line) == {
        "loaded": True,
        "words": [script],
        "name": "__main__",
        "file": script,
        "folder": str(tmp_path),
        "variable": "a = b\n",
        "threads": 2,  # one waits for the end of who asked
    }


def test_another_python_is_started(run, tmp_path):
    other = tmp_path / "python"
    other.symlink_to(Path(sys.executable).resolve())
    printed, _ = run(TELL, python=str(other)).communicate()
    assert json.loads(printed.splitlines()[0])["loaded"] is False


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no')", 1, "no"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 9)", 137, ""),
    ],
)
def test_who_asked_ends_as_the_job_does(end, code, said, run):
    printed, errors = run(end, "print('well')").communicate()
    assert printed.splitlines() == ["well", f"{code} 0"]
    assert said in errors


SLEEP = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def is_gone(pid: int) -> bool:
    """Wait until a process is no more, or but waited for."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def asker(runner: psutil.Process) -> psutil.Process:
    return next(p for p in runner.children() if any("ask.py" in w for w in p.cmdline()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_ends_with_who_asked_for_it(number, run):
    with run(SLEEP) as runner:
        job = int(runner.stdout.readline())
        asker(psutil.Process(runner.pid)).send_signal(number)
        assert is_gone(job)
        assert int(runner.stdout.read()) == -number


def test_the_server_ends_with_the_process_that_it_is_beside(run):
    with run(SLEEP) as runner:
        job = psutil.Process(int(runner.stdout.readline()))
        server, asking = job.parent(), asker(psutil.Process(runner.pid))
        runner.kill()
        assert is_gone(server.pid)
        asking.kill()
        assert is_gone(job.pid)


def test_ctrl_c_is_the_jobs_to_end(run):
    end = "\nexcept KeyboardInterrupt:\n    raise SystemExit(5)"
    waiting = f"try:\n    {SLEEP}{end}"
    with run(waiting) as runner:
        job = int(runner.stdout.readline())
        asker(psutil.Process(runner.pid)).send_signal(signal.SIGINT)
        os.kill(job, signal.SIGINT)
        assert runner.stdout.read() == "5\n"


def test_a_path_too_long_for_a_socket_means_that_there_is_none(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from dtst_flow.cli import forkserver\n"
        f"with forkserver.beside(Path({str(tmp_path)!r}) / ('x' * 200), ()):\n"
        "    print(forkserver.PREFIX in os.environ)"
    )
    words = [sys.executable, "-c", program]
    printed = subprocess.check_output(words, env=environment(), text=True)
    assert printed == "False\n"
