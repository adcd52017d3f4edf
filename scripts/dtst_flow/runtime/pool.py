"""Work in separate processes: what kills one costs its task, not the job.

Each process has a pipe that nobody else holds. So its end, whatever the cause, shows as
the end of the pipe, and the end of the job ends its processes.
"""

import multiprocessing
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.context import ForkContext, SpawnContext
from time import monotonic
from typing import Any, Generic

from dtst_flow.runtime.verified_read import Changed
from dtst_flow.runtime.worker import (
    ENDS,
    Answer,
    Failed,
    Raised,
    Task,
    Worker,
    WorkerError,
    serve,
)
from dtst_flow.utils.pace import At, Loading, Patience

CONTEXT = (
    multiprocessing.get_context("fork")
    if sys.platform == "linux"
    else multiprocessing.get_context("spawn")
)
"""How processes are made: a fork has all imported that the job has, a third of a start.

A job loads no model itself and has one thread, that of the watchdog, which holds no lock:
nothing in it is harmed by a fork. On macOS its system libraries would be.
"""

STARTS = 3
"""If so many processes in a row die before they are ready, it is not by chance."""

PATIENCE = 10
"""Seconds that a process has to free its models before it is killed."""

MEMORY = "memory may have run out: use fewer workers or cores, or a smaller image"
DAMAGE = "perhaps the file is damaged: save it anew, or take it out"
HURRY = "so it was given up: save it anew, or raise --max-seconds"

POLL = 0.5
"""Seconds between two looks at how long processes have been at their tasks."""

SLOW = 10
"""Seconds after which an image takes long enough to be named."""

ENDLESS = Patience()


class Died(Failed):
    """The process that worked on the task died."""


class TooLong(Failed):
    """The task took longer than it may, and its process was ended."""


def each(
    make: Callable[[], Worker[Task, Answer]],
    tasks: Sequence[Task],
    workers: int = 1,
    parts: Callable[[Task], Sequence[Task]] = lambda task: [task],
    patience: Patience = ENDLESS,
) -> Iterator[tuple[Task, Answer | Failed | Changed]]:
    """Have workers do every task.

    A task whose process died is tried once more at the end, and alone, because a kernel
    that runs out of memory does not always kill the process that took it.

    Args:
        make: Builds a worker; called once in each process, must be picklable.
        tasks: The tasks; none of them is None.
        workers: How many processes to use, at most.
        parts: Splits a task whose process died into the tasks to try.
        patience: How long a task may take; one that took longer is tried again only if it
            has parts.

    Yields:
        Every task with the answer to it, Failed or Changed, as they come.

    Raises:
        ModelError: A worker cannot load its model. All processes end.
        OSError: A worker met one of DISK_ERRORS. All processes end.
        WorkerError: A worker raised what else is not of its task, or could not be
            started. All processes end.
    """
    again: list[Task] = []
    for task, answer in _share(make, tasks, workers, patience):
        alone = list(parts(task)) if isinstance(answer, Died | TooLong) else []
        if isinstance(answer, Died) or (alone and alone != [task]):
            again += alone
        else:
            yield task, answer
    yield from _share(make, again, 1, patience)


def _share(
    make: Callable[[], Worker[Task, Answer]],
    tasks: Sequence[Task],
    workers: int,
    patience: Patience,
) -> Iterator[tuple[Task, Answer | Failed | Changed]]:
    """`each`, every task tried once."""
    waiting = deque(tasks)
    crew = [Process(make) for _ in range(min(workers, len(waiting)))]
    deaths = 0  # in a row, of processes that were not ready yet
    try:
        while crew:
            readable = wait([process.pipe for process in crew], POLL)
            _watch(crew, patience)
            for process in [p for p in crew if p.pipe in readable]:
                task, answer = process.task, process.receive()
                if process.takes_note(answer):
                    continue
                dead = isinstance(answer, Died | TooLong)
                if task is None:
                    deaths = deaths + 1 if dead else 0
                    if deaths == STARTS:
                        raise WorkerError(
                            f"{STARTS} processes in a row died before they could work; "
                            f"the last {told(process.exitcode)}; {MEMORY}"
                        )
                if dead:
                    crew.remove(process)
                    crew += [Process(make)] if waiting else []
                elif waiting:
                    process.give(waiting.popleft())
                else:
                    crew.remove(process)
                    process.end()
                if task is not None:
                    yield task, answer
    finally:
        for process in crew:
            process.kill()


def _watch(crew: "Sequence[Process[Any]]", patience: Patience) -> None:
    """Tell what takes long, and end the processes that are at it too long."""
    took = {p: p.took() for p in crew if p.task is not None}
    patience.tell({p.at.name: s for p, s in took.items() if s > SLOW and p.at.name})
    for process, seconds in took.items():
        if seconds > (most := process.at.limit(patience.seconds)):
            process.give_up(most)


class Process(Generic[Task]):
    """A process with a worker, seen from the job.

    Args:
        make: Builds the worker, must be picklable.
        context: How the process is made.

    Attributes:
        pipe: Leads to it; something can be read there when it is ready, answers, or dies.
        task: What it works on; None until it is ready.
        at: The image that it is at.
    """

    def __init__(
        self,
        make: Callable[[], Worker[Task, Any]],
        context: ForkContext | SpawnContext = CONTEXT,
    ):
        self.pipe, other_end = context.Pipe()
        ENDS.add(self.pipe)
        self.task: Task | None = None
        self.at = At()
        self._since = monotonic()
        self._is_loading = False
        self._reason = ""
        self._process = context.Process(
            target=serve, args=(other_end, make), daemon=True
        )
        with warnings.catch_warnings():  # Python's, of forks beside a thread
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        other_end.close()

    def give(self, task: Task) -> None:
        """Let it begin with a task."""
        self.task, self._reason = task, ""
        self.takes_note(At())
        with suppress(OSError):  # it is dead, which `receive` will show
            self.pipe.send(task)

    def receive(self) -> Any:
        """Its answer to the task, None when it has become ready, Died when it is dead.

        Raises:
            ModelError: It cannot load its model.
            OSError: It met one of DISK_ERRORS.
            WorkerError: It met another error that is not of its task.
        """
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            if self._reason:
                return TooLong(self._reason)
            hint = MEMORY if self.exitcode == -signal.SIGKILL else DAMAGE
            how = told(self.exitcode)
            return Died(f"the process that worked on it {how}; {hint}")
        if isinstance(answer, Raised):
            raise answer.error
        return answer

    def takes_note(self, told: Any) -> bool:
        """Note what it says of its work; returns whether that is what it said."""
        if isinstance(told, At):
            self.at = told
        elif isinstance(told, Loading):
            self._is_loading = told.begun
        else:
            return False
        self._since = monotonic()
        return True

    def took(self) -> float:
        """For how many seconds it is where it is; loading a model does not count."""
        return 0.0 if self._is_loading else monotonic() - self._since

    def give_up(self, most: float) -> None:
        """End it because it took more seconds than it may; its pipe will show it."""
        size = f" ({self.at.pixels / 1e6:.1f} megapixels)" if self.at.pixels else ""
        self._reason = f"took more than {most:.3g} s{size}, {HURRY}"
        self.stop()

    def stop(self) -> None:
        """End it without waiting for that; its pipe will show it."""
        self._process.kill()

    @property
    def exitcode(self) -> int:
        """How it ended, once it has; minus the number of the signal that killed it."""
        code = self._process.exitcode
        assert code is not None
        return code

    def end(self) -> None:
        """Wait until it has freed its models and is gone."""
        self.pipe.close()
        self._process.join(PATIENCE)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()


def told(code: int) -> str:
    """The end of a process in words, by its exit code; a signal's is negative."""
    if code >= 0:
        return f"ended with exit code {code}"
    names = {number.value: f" ({number.name})" for number in signal.Signals}
    return f"was killed by signal {-code}{names.get(-code, '')}"
