"""Snakemake at work: started, shown, interrupted and ended in order."""

import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from types import FrameType

from dtst_flow.cli import child, signals
from dtst_flow.cli.console import Voice
from dtst_flow.cli.progress import Display, Lines, counted
from dtst_flow.dataset.state import PROGRESS
from dtst_flow.runtime import events
from dtst_flow.runtime.events import Event
from dtst_flow.runtime.progress import counts_of, slow_of
from dtst_flow.utils.files import open_regular

TAIL = 12
"""Lines of a failed job's log that are shown."""

LAST = 1 << 20
"""Bytes at the end of a log that are read."""

MAX_NAMED = 10
"""Images named that take long, in a run."""

POLL = 0.1
"""Seconds between two looks at a run."""


@dataclass
class Watched:
    """A run of Snakemake that came to its end.

    Attributes:
        pid: Its process; 0 until it is started.
        printed: What it printed itself at last, unless on the terminal.
        code: Its exit code.
        ended_by: The signal by which the user ended it, as by Ctrl-C; 0 for none.
        began: How many jobs were started.
        failed: Of each job that failed, its rule and its logs.
        faults: Why it could not go on, in its words or ours.
        said: What the run had to say.
        sources: Stage -> the fingerprints that it saw of its source.
        progress: Rule -> counts of its images.
        named: The images of which was told that they take long.
    """

    pid: int = 0
    printed: str = ""
    code: int = 0
    ended_by: int = 0
    began: int = 0
    failed: list[tuple[str, list[str]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=dict)
    progress: dict[str, Counter[str]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Note an event."""
        kind = event["kind"]
        if kind == "began":
            self.began += event["rule"] != "all"
        elif kind == "failed":
            self.failed.append((event["rule"], event["logs"]))
        elif kind == "error":
            self.faults.append(event["text"])
        elif kind == "said" and event["text"]:
            self.said.append(event["text"])
        elif kind == "source":
            seen = self.sources.setdefault(event["stage"], set())
            seen.add(event["fingerprint"])

    def slow(self, images: list[tuple[str, str]]) -> Iterator[str]:
        """Yield sentences about rule and image that take long, of each only one."""
        for rule, image in images:
            if image not in self.named and len(self.named) < MAX_NAMED:
                self.named.add(image)
                yield f"{rule.replace('_', '-')} is taking long at {image!r}"

    def how_far(self) -> str:
        """Tell how many images of the stage at work were done, if it is known."""
        for rule, counts in self.progress.items():
            if counts["done"] < counts["total"]:
                done = f"{counts['done']} of {counts['total']} {counted(rule)} done"
                return f" in {rule.replace('_', '-')}: {done}"
        return ""

    def errors(self, dataset: Path) -> list[str]:
        """Tell why it failed, the logs of failed jobs as paths from the user's folder."""
        # A job that was tried again failed twice, for the same reason.
        failed = {(rule, *logs): (rule, logs) for rule, logs in self.failed}
        told = [_of_job(rule, logs, dataset) for rule, logs in failed.values()]
        # What we said ourselves comes first, and says the same in fewer words.
        told += self.faults[:1] if not told else []
        if told:
            return told
        last = _last_lines(self.printed, 1) or f"Snakemake ended with {self.code}"
        return [f"{last} (-v shows all that Snakemake says)"]


def _of_job(rule: str, logs: list[str], dataset: Path) -> str:
    """Tell of a failed job: what it said last, and where all of it is."""
    paths = [Path(os.path.relpath(dataset / log)) for log in logs]
    texts = [_end_of(path) for path in paths if path.is_file()]
    where = " ".join(shlex.quote(str(path)) for path in paths)
    log = f"{rule.replace('_', '-')} failed; its log: {where}"
    return "\n".join([*filter(None, map(_last_lines, texts)), log])


def _end_of(path: Path) -> str:
    """Read the end of a log, which may be long."""
    with open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LAST))
        return file.read(LAST).decode("utf-8", "replace")


def _last_lines(text: str, count: int = TAIL) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(dict.fromkeys(lines[-count:]))


@dataclass(frozen=True)
class Start:
    """How Snakemake is started.

    Attributes:
        words: Its arguments.
        dataset: The folder that it works in.
        variables: Of its environment, besides ours.
        files: File descriptors to pass to it.
        begun: Called with its process number.
    """

    words: list[str]
    dataset: Path
    variables: dict[str, str]
    files: tuple[int, ...]
    begun: Callable[[int], None]


def watch(start: Start, voice: Voice, folder: Path) -> Watched:
    """Run Snakemake to its end.

    Args:
        start: How to start it.
        voice: How much to say meanwhile.
        folder: For what it tells and prints.

    Returns:
        What is known of the run.
    """
    told, output = folder / "events.jsonl", folder / "output.txt"
    # What is in the folder is data: Python would import modules from there.
    environment = os.environ | {"PYTHONSAFEPATH": "1"} | start.variables
    environment[events.VARIABLE] = str(told)
    watched, reader, display = Watched(), events.Reader(told), _display(voice)
    if voice.verbose:
        environment[events.VERBOSE] = "1"
    with output.open("wb") as file, _signals(watched, display) as early:
        printed = None if voice.verbose else file
        jobs = folder / "jobs.sock"
        setting = child.Setting(start.dataset, environment, start.files, printed, jobs)
        process = child.start(start.words, setting)  # before bars have their thread
        watched.pid = process.pid
        while early:
            _send(watched, early.pop())
        with suppress(OSError):  # a full disk; the note is but for the user to read
            start.begun(process.pid)
        with display:
            try:
                while process.poll() is None:
                    sleep(POLL)
                    _look(start.dataset, watched, reader, display)
            finally:
                if process.poll() is None:  # it must not go on unseen
                    _send(watched, signal.SIGINT)
                    process.wait()
            _look(start.dataset, watched, reader, display)
    watched.code = process.wait()
    watched.printed = _end_of(output)
    return watched


def _look(
    dataset: Path,
    watched: Watched,
    reader: events.Reader,
    display: Display,
) -> None:
    for event in reader.new():
        if event["kind"] == "noted":
            display.say(event["text"])
        watched.take(event)
        display.take(event)
    if watched.began:  # what is there before is of the run before
        watched.progress = counts_of(dataset / PROGRESS)
        display.show(watched.progress)
        for sentence in watched.slow(slow_of(dataset / PROGRESS)):
            display.say(sentence)


def _display(voice: Voice) -> Display:
    if voice.verbose or voice.quiet or voice.as_json:
        return Display(voice)
    if not sys.stderr.isatty():
        return Lines(voice)
    from dtst_flow.cli.bars import Bars

    return Bars()


@contextmanager
def _signals(watched: Watched, display: Display) -> Iterator[list[int]]:
    """Have Snakemake end in order on Ctrl-C, on a kill and when the terminal is closed.

    Yields:
        What came before Snakemake was started, to be sent to it then.
    """
    early: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        signals.leave_terminal()
        again = bool(watched.ended_by)
        if again:
            display.say("ending the jobs; a moment")
        watched.ended_by = watched.ended_by or number
        if sent := _passed_on(number, again, bool(watched.began)):
            if watched.pid:
                _send(watched, sent)
            else:
                early.append(sent)

    before = {
        number: signal.signal(number, end)
        for number in signals.ENDING
        if number == signal.SIGINT or not signals.is_ignored(number)
    }
    try:
        signals.check()
        yield early
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _passed_on(number: int, again: bool, at_work: bool) -> int:
    """What Snakemake is sent for a signal; 0 for nothing.

    At work it ends its jobs on SIGINT, where on SIGTERM it waits for those on a cluster;
    a second SIGINT would disturb it, a second SIGTERM ends the jobs of this machine. What
    it loads before may swallow a SIGINT.
    """
    if at_work and not again:
        return signal.SIGINT
    if number == signal.SIGINT:
        return 0 if at_work else number
    return signal.SIGTERM if number == signal.SIGTERM or not at_work else 0


def _send(watched: Watched, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(watched.pid, number)
