"""Processes that die or hang while threads wait for them."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.runtime.crew import Crew
from dtst_flow.runtime.pool import Died, TooLong
from dtst_flow.runtime.worker import Failed


class Worker:
    """Answers with its process; some tasks end that."""

    def __call__(self, task: str) -> int:
        if task == "crash":
            signal.raise_signal(signal.SIGSEGV)
        if task == "hang":
            sleep(60)
        if task == "fail":
            raise UnreadableImage("as it is")
        return os.getpid()

    def close(self) -> None:
        pass


@pytest.fixture
def crew():
    crew = Crew(Worker, 2, 10)
    yield crew
    crew.close()


def test_what_kills_a_process_costs_its_task(crew):
    first = crew.do("work")
    assert first != os.getpid()
    assert crew.do("work") == first
    assert crew.do("fail") == Failed("as it is")
    died = crew.do("crash")
    assert isinstance(died, Died) and "SIGSEGV" in died.reason
    assert crew.do("work") not in (first, os.getpid())


def test_a_task_that_hangs_is_given_up(crew):
    crew.do("work")
    crew._seconds = 0.1
    late = crew.do("hang")
    assert isinstance(late, TooLong) and "more than 0.1 s" in late.reason


def test_threads_share_few_processes_which_end_with_it(crew):
    gate = threading.Barrier(3)

    def ask(n: int) -> int:
        gate.wait()
        return crew.do("work")

    with ThreadPoolExecutor(3) as threads:
        found = set(threads.map(ask, range(3)))
    assert 1 <= len(found) <= 2
    crew.close()
    assert isinstance(crew.do("work"), Died)
    for process in found:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_its_end_is_the_end_of_a_process_at_work(crew):
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(crew.do, "hang")
        while not any(process.task for process in set(crew._busy)):
            sleep(0.01)
        crew.close()
        assert isinstance(asked.result(5), Died)
