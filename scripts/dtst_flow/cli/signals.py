"""Signals that end a program in order: Ctrl-C, a kill, the end of the terminal."""

import os
import signal
import sys
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

AGAIN = "run the same command again to go on"
"""What is told of whatever was ended by one of them."""


class Ended(KeyboardInterrupt):
    """A signal ends the program as Ctrl-C does.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


_came: list[int] = []
"""The signals that `Ended` was raised for."""


def catch() -> None:
    """From now on a signal that would kill this process raises `Ended` instead."""
    for number in ENDING:
        if not is_ignored(number):
            signal.signal(number, _end)
    sys.unraisablehook = _drop


def check() -> None:
    """Raise an `Ended` again that was swallowed.

    Python drops what is raised in some callbacks, such as those of its import locks.
    """
    if _came:
        raise Ended(_came[0])


def ignore() -> None:
    """From now on no signal ends this process, which is at its end."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def is_ignored(number: int) -> bool:
    """Whether who started this process wants a signal to do nothing, as nohup does."""
    return signal.getsignal(number) == signal.SIG_IGN


def exit_code(error: BaseException | None) -> int:
    """The exit code of a program that `Ended` or Ctrl-C ends, as shells have it."""
    number = error.number if isinstance(error, Ended) else signal.SIGINT
    return 128 + number


def leave_terminal() -> None:
    """If the terminal is gone, write to nowhere from now on, as else every word fails."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def leave_pipe() -> None:
    """Write to nowhere from now on, as nobody reads stdout any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _end(number: int, frame: FrameType | None) -> None:
    leave_terminal()
    _came.append(number)
    raise Ended(number)


def _drop(dropped: "sys.UnraisableHookArgs") -> None:
    """Print what Python drops, but for what `check` raises again."""
    if not isinstance(dropped.exc_value, Ended):
        sys.__unraisablehook__(dropped)
