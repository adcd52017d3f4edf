"""The first moments of the program, in which it loads."""

import subprocess
import sys

import pytest

from helpers.dataset import environment

SWALLOWED = """
import signal, sys, weakref
from dtst_flow.cli import signals, start

class Thing:
    pass

def interrupt():
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing

WHERE
sys.argv = ["dtst", "cluster", "-d", ".", "--from", "faces", "-m", "dlib"]
start.start()
"""
"""Python drops what is raised in a callback of a weak reference."""

AS_IT_LOADS = """
class Finder:
    def find_spec(self, name, *rest):
        if name == "dtst_flow.cli.main":
            interrupt()
sys.meta_path.insert(0, Finder())
"""

AS_IT_CHECKS = """
from dtst_flow.cli import child, watch
display = watch._display
watch._display = lambda voice: interrupt() or display(voice)
child.start = None
"""


@pytest.mark.parametrize("where", [AS_IT_LOADS, AS_IT_CHECKS])
def test_ctrl_c_that_python_drops_ends_it_all_the_same(where, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/a.jpg").touch()
    program = SWALLOWED.replace("WHERE", where)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    last = done.stderr.splitlines()[-1]
    assert last == "error: interrupted; run the same command again to go on"
    assert "Traceback" not in done.stderr
    assert done.returncode == 130


AT_WORK = """
import atexit, threading, time
from dtst_flow.cli import main, start

def call():
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    print("told", end="")
    raise SystemExit(3)

main.main = call
atexit.register(print, "the interpreter's own end")
start.start()
"""


def test_a_thread_that_is_at_work_is_not_met_by_the_interpreters_end():
    words = [sys.executable, "-c", AT_WORK]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "told", "")
