"""Work shared out to processes of their own: what kills one costs its task, not the job.

Each process hangs on a pipe that nobody else holds, so that its end, whatever the cause,
shows as the end of the pipe, and that of the job ends its processes.
"""

import faulthandler
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any, Protocol

from dtst_flow.dataset.part import ForeignFile
from dtst_flow.dataset.sidecars import BrokenSidecar
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.models.errors import ModelError
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.verified_read import Changed
from dtst_flow.utils.files import DISK_ERRORS

SPAWN = multiprocessing.get_context("spawn")

TASK_ERRORS = (UnreadableImage, BrokenSidecar, ForeignFile)
"""Errors that cost the task at which they happen; any other is the job's."""

STARTS = 3
"""When so many processes in a row die before they are ready, it is not by chance."""

PATIENCE = 10
"""Seconds that a process has to free its models before it is killed."""

MEMORY = "memory may have run out: use fewer workers or cores, or a smaller image"
DAMAGE = "perhaps the file is damaged: save it anew, or take it out"


class Worker(Protocol):
    """Does the work on one task after another; holds the models it needs."""

    def __call__(self, task: Any) -> Any: ...

    def close(self) -> None: ...


class WorkerError(Exception):
    """A worker met an error of no single task's; the message is its traceback."""


@dataclass(frozen=True)
class Failed:
    """The answer for a task that could not be done, why, and what of `cause_of`."""

    reason: str
    cause: dict = field(default_factory=dict)


class Died(Failed):
    """The process that was at the task died."""


@dataclass(frozen=True)
class Raised:
    """What a worker says when it meets an error of the job's."""

    error: WorkerError | ModelError | OSError


def each(
    make: Callable[[], Worker],
    tasks: Sequence[Any],
    workers: int = 1,
    parts: Callable[[Any], list] = lambda task: [task],
) -> Iterator[tuple[Any, Any]]:
    """Yield every task with a worker's answer, Failed or Changed, as they come.

    A task whose process died is tried once more at the end, and alone, as the kernel
    that runs out of memory does not always kill the one who took it.

    make     builds a worker; called once in each process, must be picklable
    workers  processes to use, at most
    parts    splits a task whose process died into those to try

    Raises ModelError and WorkerError, and ends all processes, when a worker cannot load
    its model, raises what else is not of its task, or cannot be started.
    """
    again: list = []
    for task, answer in _share(make, tasks, workers):
        if isinstance(answer, Died):
            again += parts(task)
        else:
            yield task, answer
    yield from _share(make, again, 1)


def _share(
    make: Callable[[], Worker], tasks: Sequence[Any], workers: int
) -> Iterator[tuple[Any, Any]]:
    """`each`, every task tried once."""
    waiting = deque(tasks)
    crew = [_Process(make) for _ in range(min(workers, len(waiting)))]
    lost = 0
    try:
        while crew:
            heard = wait([process.pipe for process in crew])
            for process in [p for p in crew if p.pipe in heard]:
                task, answer = process.task, process.receive()
                dead = isinstance(answer, Died)
                if task is None:
                    lost = lost + 1 if dead else 0
                    if lost == STARTS:
                        raise WorkerError(
                            f"{STARTS} processes in a row died before they could work; "
                            f"the last {told(process.exitcode)}; {MEMORY}"
                        )
                if dead:
                    crew.remove(process)
                    crew += [_Process(make)] if waiting else []
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


class _Process:
    """A process with a worker, seen from the job.

    pipe  leads to it; something can be read there when it is ready, answers, or dies
    task  what it is at; None until it is ready
    """

    def __init__(self, make: Callable[[], Worker]):
        self.pipe, other_end = SPAWN.Pipe()
        self.task: Any = None
        self._process = SPAWN.Process(
            target=_serve, args=(other_end, make), daemon=True
        )
        self._process.start()
        other_end.close()

    def give(self, task: Any) -> None:
        """Let it begin with a task."""
        self.task = task
        with suppress(OSError):  # it is dead, which `receive` will tell
            self.pipe.send(task)

    def receive(self) -> Any:
        """Its answer; Died when there will be none. Raises ModelError, WorkerError."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            hint = MEMORY if self.exitcode == -signal.SIGKILL else DAMAGE
            how = told(self.exitcode)
            return Died(f"the process that worked on it {how}; {hint}")
        if isinstance(answer, Raised):
            raise answer.error
        return answer

    @property
    def exitcode(self) -> int:
        """How it ended; minus the number of the signal that killed it."""
        return self._process.exitcode

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
    """The end of a process in words, by its exit code; that of a signal is negative."""
    if code >= 0:
        return f"ended with exit code {code}"
    names = {known.value: f" ({known.name})" for known in signal.Signals}
    return f"was killed by signal {-code}{names.get(-code, '')}"


def _serve(pipe: Connection, make: Callable[[], Worker]) -> None:
    """Work in a process of its own, until the job closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the job ends its processes
    faulthandler.enable()
    Thread(target=_end_with_job, daemon=True).start()
    try:
        worker = make()
        pipe.send(None)  # ready
        for task in _given(pipe):
            pipe.send(_answer(worker, task))
        worker.close()
    except MemoryError:
        traceback.print_exc()
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does a moment later
    except ModelError as error:
        pipe.send(Raised(ModelError(str(error))))
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return pipe.send(Raised(error))
        pipe.send(Raised(WorkerError(traceback.format_exc())))


def _given(pipe: Connection) -> Iterator[Any]:
    with suppress(EOFError):
        while True:
            yield pipe.recv()


def _answer(worker: Worker, task: Any) -> Any:
    try:
        return worker(task)
    except TASK_ERRORS as error:
        return Failed(str(error), cause_of(error))
    except Changed as error:
        return error


def _end_with_job() -> None:
    """A job that is killed takes its processes along, in the midst of their task."""
    multiprocessing.parent_process().join()
    os._exit(1)
