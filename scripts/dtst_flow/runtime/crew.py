"""Processes that do a task whenever one comes; any thread may ask for it.

What kills a process costs its task, as in a `pool`. The processes are started anew, not
forked, as other threads may hold locks.
"""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from threading import BoundedSemaphore, Lock
from typing import Any, Generic

from dtst_flow.runtime.pool import Died, Process, TooLong
from dtst_flow.runtime.verified_read import Changed
from dtst_flow.runtime.worker import Answer, Failed, Task, Worker

CONTEXT = multiprocessing.get_context("spawn")


class Crew(Generic[Task, Answer]):
    """Processes that wait for tasks; there are as many as were ever at work at once.

    Args:
        make: Builds a worker; called once in each process, must be picklable.
        most: Most processes.
        seconds: How long a task may take, and the start of a process.
    """

    def __init__(
        self, make: Callable[[], Worker[Task, Answer]], most: int, seconds: float
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._turn = BoundedSemaphore(most)
        self._idle: list[Process[Task]] = []
        self._busy: set[Process[Task]] = set()
        self._closed = False
        self._lock = Lock()

    def do(self, task: Task) -> Answer | Failed | Changed:
        """Have a task done; waits for it.

        Raises:
            ModelError, OSError, WorkerError: As `pool.each`.
        """
        with self._turn:
            process, answer = self._idle_or_new(), None
            if process is None:
                return Died("came when its processes were ended")
            if process.task is None:
                answer = self._received(process)
            if answer is None:
                process.give(task)
                answer = self._received(process)
            with self._lock:
                self._busy.discard(process)
                if not isinstance(answer, Died | TooLong):
                    self._idle.append(process)
        done: Answer | Failed | Changed = answer
        return done

    def _idle_or_new(self) -> Process[Task] | None:
        """A process that waits for a task, or one that has had none; None at the end."""
        with self._lock:
            if self._closed:
                return None
            process = self._idle.pop() if self._idle else self._start()
            self._busy.add(process)
        return process

    def _start(self) -> Process[Task]:
        """Start a process; Ctrl-C reaches only us, who end it."""
        resource_tracker.ensure_running()  # or it would undo the block
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            return Process(self._make, CONTEXT)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def _received(self, process: Process[Task]) -> Any:
        """What a process answers, or None when it has become ready."""
        while process.pipe.poll(self._seconds):
            answer = process.receive()
            if not process.takes_note(answer):
                return answer
        process.kill()
        return TooLong(f"takes more than {self._seconds:.3g} s, so it was given up")

    def close(self) -> None:
        """End all processes, also those at work: who waits for them is told so."""
        with self._lock:
            self._closed = True
            for process in self._busy:
                process.stop()
            for process in self._idle:
                process.end()
            self._idle.clear()
