"""Work in separate processes: what kills one costs its task, not the job.

Each process has a pipe that nobody else holds. So its end, whatever the cause, shows as
the end of the pipe, and the end of the job ends its processes.
"""

import faulthandler
import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from weakref import WeakSet

from dtst_flow.dataset.part import ForeignFile
from dtst_flow.dataset.sidecars import BrokenSidecar
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.models.errors import ModelError
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.verified_read import Changed
from dtst_flow.utils.files import DISK_ERRORS

CONTEXT = (
    multiprocessing.get_context("fork")
    if sys.platform == "linux"
    else multiprocessing.get_context("spawn")
)
"""How processes are made: a fork has all imported that the job has, a third of a start.

A job loads no model itself and has one thread, that of the watchdog, which holds no lock:
nothing in it is harmed by a fork. On macOS its system libraries would be.
"""

TASK_ERRORS = (UnreadableImage, BrokenSidecar, ForeignFile)
"""Errors that make only their task fail; any other ends the job."""

STARTS = 3
"""If so many processes in a row die before they are ready, it is not by chance."""

PATIENCE = 10
"""Seconds that a process has to free its models before it is killed."""

MEMORY = "memory may have run out: use fewer workers or cores, or a smaller image"
DAMAGE = "perhaps the file is damaged: save it anew, or take it out"


Task = TypeVar("Task")
Answer = TypeVar("Answer")
Task_contra = TypeVar("Task_contra", contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)


class Worker(Protocol[Task_contra, Answer_co]):
    """Does the work of one task after another; holds the models it needs."""

    def __call__(self, task: Task_contra, /) -> Answer_co:
        """Do the work of a task and return its answer."""

    def close(self) -> None:
        """Free what the worker holds."""


class WorkerError(Exception):
    """A worker met an error that is not of a single task; the message is its traceback."""


@dataclass(frozen=True)
class Failed:
    """The answer for a task that could not be done.

    Attributes:
        reason: Why, in words.
        cause: What `cause_of` returns.
    """

    reason: str
    cause: dict[str, Any] = field(default_factory=dict)


class Died(Failed):
    """The process that worked on the task died."""


@dataclass(frozen=True)
class Raised:
    """What a worker sends when it meets an error that ends the job."""

    error: WorkerError | ModelError | OSError


def each(
    make: Callable[[], Worker[Task, Answer]],
    tasks: Sequence[Task],
    workers: int = 1,
    parts: Callable[[Task], Sequence[Task]] = lambda task: [task],
) -> Iterator[tuple[Task, Answer | Failed | Changed]]:
    """Have workers do every task.

    A task whose process died is tried once more at the end, and alone, because a kernel
    that runs out of memory does not always kill the process that took it.

    Args:
        make: Builds a worker; called once in each process, must be picklable.
        tasks: The tasks; none of them is None.
        workers: How many processes to use, at most.
        parts: Splits a task whose process died into the tasks to try.

    Yields:
        Every task with the answer to it, Failed or Changed, as they come.

    Raises:
        ModelError: A worker cannot load its model. All processes end.
        OSError: A worker met one of DISK_ERRORS. All processes end.
        WorkerError: A worker raised what else is not of its task, or could not be
            started. All processes end.
    """
    again: list[Task] = []
    for task, answer in _share(make, tasks, workers):
        if isinstance(answer, Died):
            again += parts(task)
        else:
            yield task, answer
    yield from _share(make, again, 1)


def _share(
    make: Callable[[], Worker[Task, Answer]], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Answer | Failed | Changed]]:
    """`each`, every task tried once."""
    waiting = deque(tasks)
    crew = [_Process(make) for _ in range(min(workers, len(waiting)))]
    deaths = 0  # in a row, of processes that were not ready yet
    try:
        while crew:
            readable = wait([process.pipe for process in crew])
            for process in [p for p in crew if p.pipe in readable]:
                task, answer = process.task, process.receive()
                dead = isinstance(answer, Died)
                if task is None:
                    deaths = deaths + 1 if dead else 0
                    if deaths == STARTS:
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


class _Process(Generic[Task]):
    """A process with a worker, seen from the job.

    Attributes:
        pipe: Leads to it; something can be read there when it is ready, answers, or dies.
        task: What it works on; None until it is ready.
    """

    ends: ClassVar[WeakSet[Connection]] = WeakSet()
    """The job's ends of all pipes, of which a fork has copies."""

    def __init__(self, make: Callable[[], Worker[Task, Any]]):
        self.pipe, other_end = CONTEXT.Pipe()
        self.ends.add(self.pipe)
        self.task: Task | None = None
        self._process = CONTEXT.Process(
            target=_serve, args=(other_end, make), daemon=True
        )
        with warnings.catch_warnings():  # Python's, of forks beside a thread
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        other_end.close()

    def give(self, task: Task) -> None:
        """Let it begin with a task."""
        self.task = task
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
            hint = MEMORY if self.exitcode == -signal.SIGKILL else DAMAGE
            how = told(self.exitcode)
            return Died(f"the process that worked on it {how}; {hint}")
        if isinstance(answer, Raised):
            raise answer.error
        return answer

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


def _serve(pipe: Connection, make: Callable[[], Worker[Any, Any]]) -> None:
    """Work in a separate process, until the job closes the pipe."""
    for end in _Process.ends:
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the job ends its processes
    faulthandler.enable()
    Thread(target=_end_with_job, daemon=True).start()
    try:
        worker = make()
        pipe.send(None)  # ready
        for task in _tasks(pipe):
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


def _tasks(pipe: Connection) -> Iterator[Any]:
    with suppress(EOFError):
        while True:
            yield pipe.recv()


def _answer(worker: Worker[Task, Answer], task: Task) -> Answer | Failed | Changed:
    try:
        return worker(task)
    except TASK_ERRORS as error:
        return Failed(str(error), cause_of(error))
    except Changed as error:
        return error


def _end_with_job() -> None:
    """End this process as soon as the job has ended, even in the middle of a task."""
    job = multiprocessing.parent_process()
    assert job is not None
    job.join()
    os._exit(1)
