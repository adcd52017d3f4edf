"""The processes of a `pool`, from inside: a worker that does task after task."""

import faulthandler
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from dtst_flow.dataset.part import ForeignFile
from dtst_flow.dataset.sidecars import BrokenSidecar
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.models.errors import ModelError
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.verified_read import Changed
from dtst_flow.utils import memory, pace
from dtst_flow.utils.files import DISK_ERRORS

TASK_ERRORS = (UnreadableImage, BrokenSidecar, ForeignFile)
"""Errors that make only their task fail; any other ends the job."""

ENDS: WeakSet[Connection] = WeakSet()
"""The job's ends of all pipes, of which a fork has copies."""

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


@dataclass(frozen=True)
class Raised:
    """What a worker sends when it meets an error that ends the job."""

    error: WorkerError | ModelError | OSError


def serve(pipe: Connection, make: Callable[[], Worker[Any, Any]]) -> None:
    """Work in a separate process, until the job closes the pipe."""
    for end in ENDS:
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the job ends its processes
    faulthandler.enable(2)  # stderr itself, whatever stands for it in Python
    Thread(target=_end_with_job, daemon=True).start()
    memory.keep_freed()
    send = pace.tell_to(pipe.send)
    try:
        worker = make()
        send(None)  # ready
        for task in _tasks(pipe):
            send(answer(worker, task))
        worker.close()
    except MemoryError:
        traceback.print_exc()
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does a moment later
    except ModelError as error:
        send(Raised(ModelError(str(error))))
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return send(Raised(error))
        send(Raised(WorkerError(traceback.format_exc())))


def _tasks(pipe: Connection) -> Iterator[Any]:
    with suppress(EOFError):
        while True:
            yield pipe.recv()


def answer(worker: Worker[Task, Answer], task: Task) -> Answer | Failed | Changed:
    """Have a worker do a task; what is wrong with the task alone becomes its answer."""
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
