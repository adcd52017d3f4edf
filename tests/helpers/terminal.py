"""A program as a person runs it: in a terminal, whose keys are pressed and screen is read.

The same program through a pipe is run by `piped`.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyte

from helpers.dataset import environment

CTRL_C = "\x03"
ESCAPE = b"\x1b"

DTST = (
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'dtst'; from dtst_flow.cli.start import start; start()",
)

COLUMNS, LINES = 120, 300
"""The size of the screen; so high that nothing scrolls off it."""


@dataclass(frozen=True)
class Shown:
    """What a program showed until its end.

    code   its exit code; minus the signal that ended it
    raw    all that it wrote
    lines  what is on the screen at the end, line by line
    """

    code: int
    raw: bytes
    lines: list[str]

    @property
    def text(self) -> str:
        """The screen; what is one message in several lines, or was wrapped, is in it."""
        return "\n".join(self.lines)

    @property
    def flat(self) -> str:
        """The screen in one line, as the terminal may break a line anywhere."""
        return "".join(self.lines)


class Terminal:
    """A program in a terminal of its own, whose controlling terminal it is.

    with Terminal(words, folder) as terminal:
        terminal.until("Go on?")
        terminal.press("n\\r")
    assert terminal.shown.code == 1
    """

    def __init__(self, words: Sequence[str], folder: Path, **variables: str):
        self.raw = b""
        self.shown: Shown | None = None
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        env = _variables(variables) | {"TERM": "xterm-256color"}
        env |= {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        self.pid, self._master = pty.fork()
        if not self.pid:
            try:
                # Not as under a nohup that the tests may run under.
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
                os.chdir(folder)
                os.execvpe(words[0], list(words), env)
            finally:
                os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Read to the end; of a program that is still there after a failed test, kill it."""
        if kind:
            os.killpg(self.pid, 9)
        deadline = time.monotonic() + 120
        while self._read(0.1):
            if time.monotonic() > deadline:
                os.killpg(self.pid, 9)
        _, status = os.waitpid(self.pid, 0)
        os.close(self._master)
        code = os.waitstatus_to_exitcode(status)
        self.shown = Shown(code, self.raw, self.lines)

    @property
    def lines(self) -> list[str]:
        """What is on the screen now; empty lines are left out."""
        lines = (line.rstrip() for line in self._screen.display)
        return [line for line in lines if line]

    def until(self, what: str | float, limit: float = 60) -> None:
        """Wait until a text is on the screen, or for so many seconds."""
        if not isinstance(what, str):
            deadline = time.monotonic() + what
            while (left := deadline - time.monotonic()) > 0 and self._read(left):
                pass
            return
        deadline = time.monotonic() + limit
        while what not in "".join(self.lines):
            there = self._read(0.05)
            late = time.monotonic() > deadline
            assert there and not late, f"no {what!r} in:\n" + "\n".join(self.lines)

    def press(self, keys: str) -> None:
        """Press keys; Return is ``\\r``."""
        os.write(self._master, keys.encode())

    def close(self) -> None:
        """Close the terminal, as by its window; what the program writes is lost."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDONLY)

    def _read(self, seconds: float) -> bool:
        """Read what comes within a time; returns whether the program is there still."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            part = os.read(self._master, 65536)
        except OSError:  # so Linux tells of the last process that had it open
            part = b""
        self.raw += part
        self._stream.feed(part)
        return bool(part)


def shown(words: Sequence[str], folder: Path, **variables: str) -> Shown:
    """Run a program in a terminal to its end; no key is pressed."""
    with Terminal(words, folder, **variables) as terminal:
        pass
    return terminal.shown


@dataclass(frozen=True)
class Piped(Shown):
    """What a program showed through pipes; `raw` and `lines` are both in one.

    out  what went to stdout
    err  what went to stderr
    """

    out: str
    err: str


def piped(words: Sequence[str], folder: Path, **variables: str) -> Piped:
    """Run a program through pipes to its end; its stdin is empty."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=_variables(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    raw = done.stdout + done.stderr
    out, err = (
        s.decode("utf-8", "surrogateescape") for s in (done.stdout, done.stderr)
    )
    lines = [line for line in (out + err).splitlines() if line.strip()]
    return Piped(done.returncode, raw, lines, out, err)


def _variables(more: dict[str, str]) -> dict[str, str]:
    """The environment of a program; what says how to show colours is the test's choice."""
    known = environment()
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        known.pop(name, None)
    return known | more
