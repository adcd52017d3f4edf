"""Processes that really die, and what becomes of the tasks they were at."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.models.errors import BadModel, ModelError
from dtst_flow.runtime import pool
from dtst_flow.runtime.pool import each, told
from dtst_flow.runtime.verified_read import Changed
from dtst_flow.runtime.worker import Failed, WorkerError
from dtst_flow.utils import pace

SCRIPTS = Path(pool.__file__).parents[2]


def out_of_memory() -> None:
    raise MemoryError


ENDS = {
    "segfault": (partial(signal.raise_signal, signal.SIGSEGV), "signal 11 (SIGSEGV)"),
    "kill": (partial(signal.raise_signal, signal.SIGKILL), "signal 9 (SIGKILL)"),
    "abort": (os.abort, "signal 6 (SIGABRT)"),
    "exit": (partial(os._exit, 3), "ended with exit code 3"),
    "zero": (partial(os._exit, 0), "ended with exit code 0"),
    "memory": (out_of_memory, "memory may have run out"),
}
"""How a process dies, and what the reason has to tell of it."""


class Squarer:
    """A worker that notes in a folder its birth, its tasks and its end.

    unready  a file: as long as it holds a number above 0, which falls, the birth fails
    """

    def __init__(self, folder: Path, unready: Path | None = None):
        self.folder = folder
        if unready and (left := int(unready.read_text())):
            unready.write_text(str(left - 1))
            os.abort()
        self._note("made")

    def _note(self, what: str) -> None:
        with open(self.folder / f"{os.getpid()}", "a") as file:
            file.write(f"{what} ")

    def __call__(self, task: int | str) -> int:
        self._note(str(task))
        if task in ENDS:
            ENDS[task][0]()
        if task == "once" and not (self.folder / "tried").exists():
            (self.folder / "tried").touch()
            os.abort()
        if task == "once":
            return 1
        if task == "unreadable":
            raise UnreadableImage("cannot be decoded: no image")
        if task == "model":
            raise BadModel("x.onnx cannot be loaded")
        if task == "changed":
            raise Changed("a.png")
        if task == "bug":
            raise KeyError("a bug")
        if task == "sleep":
            time.sleep(60)
        return task**2

    def close(self) -> None:
        self._note("closed")


def lives(folder: Path) -> list[list[str]]:
    """What each process noted."""
    return [p.read_text().split() for p in folder.iterdir() if p.name.isdigit()]


def none_left() -> bool:
    return not multiprocessing.active_children()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


class TestAnswers:
    @pytest.mark.parametrize("workers", [1, 3])
    def test_each_task_has_one_from_processes_made_and_closed_once(
        self, tmp_path, workers
    ):
        answers = dict(each(partial(Squarer, tmp_path), range(40), workers))
        assert answers == {n: n * n for n in range(40)}
        assert len(lives(tmp_path)) == workers
        assert all(
            life[0] == "made" and life[-1] == "closed" for life in lives(tmp_path)
        )
        assert none_left()

    def test_those_of_one_process_come_in_order(self, tmp_path):
        answers = each(partial(Squarer, tmp_path), range(9))
        assert list(answers) == [(n, n * n) for n in range(9)]

    def test_no_task_starts_no_process(self, tmp_path):
        assert list(each(partial(Squarer, tmp_path), [], 3)) == []
        assert lives(tmp_path) == []

    def test_there_are_no_more_processes_than_tasks(self, tmp_path):
        list(each(partial(Squarer, tmp_path), range(2), 9))
        assert len(lives(tmp_path)) == 2

    def test_they_come_as_they_are_ready(self, tmp_path):
        answers = each(partial(Squarer, tmp_path), [0, 1, "sleep", 3])
        assert [next(answers), next(answers)] == [(0, 0), (1, 1)]
        answers.close()
        assert none_left()

    def test_an_image_that_cannot_be_read_costs_itself(self, tmp_path):
        answers = dict(each(partial(Squarer, tmp_path), [1, "unreadable", 2]))
        assert answers.pop("unreadable") == Failed("cannot be decoded: no image")
        assert answers == {1: 1, 2: 4}
        assert len(lives(tmp_path)) == 1

    def test_an_image_that_changed_is_told(self, tmp_path):
        answers = dict(each(partial(Squarer, tmp_path), [1, "changed", 2]))
        assert isinstance(answers.pop("changed"), Changed)
        assert answers == {1: 1, 2: 4}


class TestDeaths:
    @pytest.mark.parametrize("workers", [1, 3])
    @pytest.mark.parametrize("end", ENDS)
    def test_one_costs_its_task(self, tmp_path, end, workers, survived):
        survived["faults injected"] += 1
        tasks = [*range(5), end, *range(5, 10)]
        answers = dict(each(partial(Squarer, tmp_path), tasks, workers))
        failure = answers.pop(end)
        assert isinstance(failure, Failed) and ENDS[end][1] in failure.reason
        assert answers == {n: n * n for n in range(10)}
        tried = Counter(word for life in lives(tmp_path) for word in life)
        assert tried[end] == 2  # once more, and no more
        assert all(tried[str(n)] == 1 for n in range(10))
        assert none_left()
        survived["faults survived"] += 1

    def test_a_victim_is_tried_again_alone(self, tmp_path):
        tasks = ["once", *range(12)]
        answers = list(each(partial(Squarer, tmp_path), tasks, 3))
        assert answers[-1] == ("once", 1)
        assert dict(answers) == {n: n * n for n in range(12)} | {"once": 1}

    @pytest.mark.parametrize("workers", [1, 3])
    def test_many_end_nothing(self, tmp_path, workers, survived):
        """Also where all processes die at once, again and again."""
        survived["faults injected"] += 1
        tasks = [task for n in range(3) for task in (n, "kill", "exit")]
        answers = list(each(partial(Squarer, tmp_path), tasks, workers))
        assert [task for task, _ in answers[3:]] == ["kill", "exit"] * 3 or workers > 1
        assert all(isinstance(answer, Failed) for _, answer in answers[3:])
        assert sorted(answers[:3]) == [(n, n * n) for n in range(3)]
        assert len(answers) == 9
        survived["faults survived"] += 1

    def test_a_task_is_taken_apart(self, tmp_path):
        class_of = partial(Sums, tmp_path)
        tasks = [(1, 2), (3, "abort", 5), (6,)]
        answers = dict(each(class_of, tasks, parts=lambda task: [(n,) for n in task]))
        failure = answers.pop(("abort",))
        assert "SIGABRT" in failure.reason
        assert answers == {(1, 2): 5, (3,): 9, (5,): 25, (6,): 36}

    def test_the_log_shows_where_it_was(self, tmp_path, capfd):
        list(each(partial(Squarer, tmp_path), ["segfault"]))
        log = capfd.readouterr().err
        assert "Segmentation fault" in log and "in __call__" in log

    def test_signals_without_a_name_have_their_number(self):
        assert told(-40) == "was killed by signal 40"


class Lingerer(Squarer):
    """A worker for tasks (name, pixels, seconds): it tells of the image and stays at it."""

    def __call__(self, task: tuple) -> int:
        name, pixels, seconds = task
        self._note(name)
        if name == "model":
            with pace.loading():
                time.sleep(seconds)
            return 1
        pace.at(name, pixels)
        time.sleep(seconds)
        return 1


class TestTime:
    def test_an_image_that_takes_too_long_costs_itself(self, tmp_path, survived):
        survived["faults injected"] += 1
        slow, quick = ("slow", 5_000_000, 60), [(f"{n}", 0, 0) for n in range(5)]
        tasks, patience = [*quick[:2], slow, *quick[2:]], pace.Patience(1)
        begun = time.monotonic()
        make = partial(Lingerer, tmp_path)
        answers = dict(each(make, tasks, patience=patience))
        assert time.monotonic() - begun < 40
        reason = answers.pop(slow).reason
        assert reason.startswith("took more than 1.5 s (5.0 megapixels), ")
        assert answers == dict.fromkeys(quick, 1)
        words = [word for life in lives(tmp_path) for word in life]
        assert words.count("slow") == 1 and none_left()
        survived["faults survived"] += 1

    def test_large_images_and_models_have_more_time(self, tmp_path):
        tasks = [("large", 10 * pace.STEP, 2), ("model", 0, 2)]
        patience = pace.Patience(0.7)
        answers = dict(each(partial(Lingerer, tmp_path), tasks, patience=patience))
        assert answers == dict.fromkeys(tasks, 1)

    def test_of_many_images_each_is_tried_by_itself(self, tmp_path):
        tasks = [(1, 2), (3, "sleep")]
        parts = lambda task: [(n,) for n in task]  # noqa: E731
        make, patience = partial(Sums, tmp_path), pace.Patience(1)
        answers = dict(each(make, tasks, 1, parts, patience))
        assert "took more than 1 s, " in answers.pop(("sleep",)).reason
        assert answers == {(1, 2): 5, (3,): 9}

    def test_what_takes_long_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pool, "SLOW", 0.5)
        monkeypatch.setattr(pool, "POLL", 0.1)
        told: list[dict[str, float]] = []
        patience = pace.Patience(60, told.append)
        tasks = [("quick", 0, 0), ("slow", 0, 1)]
        list(each(partial(Lingerer, tmp_path), tasks, patience=patience))
        assert {name for names in told for name in names} == {"slow"}
        assert told[0] == {}


class Sums(Squarer):
    """A worker for tasks of several numbers."""

    def __call__(self, task: tuple) -> int:
        return sum(super(Sums, self).__call__(number) for number in task)


class TestErrorsOfTheJob:
    @pytest.mark.parametrize("workers", [1, 3])
    def test_a_bug_ends_it_and_shows_where_it_is(self, tmp_path, workers):
        tasks = [1, "bug", "sleep", "sleep", "sleep"]
        start = time.monotonic()
        with pytest.raises(WorkerError, match=r"(?s)Traceback.*__call__.*KeyError"):
            list(each(partial(Squarer, tmp_path), tasks, workers))
        assert time.monotonic() - start < 30
        assert none_left()

    def test_a_model_that_cannot_be_loaded_ends_it_with_a_sentence(self, tmp_path):
        with pytest.raises(ModelError, match=r"^x\.onnx cannot be loaded$"):
            list(each(partial(Squarer, tmp_path), [1, "model", "sleep"], 2))
        assert none_left()

    def test_a_worker_that_cannot_be_made_ends_it(self, tmp_path):
        with pytest.raises(WorkerError, match="FileNotFoundError"):
            list(each(partial(Squarer, tmp_path / "nowhere"), [1, 2]))
        assert none_left()

    def test_processes_that_die_before_they_are_ready_are_not_started_for_ever(
        self, tmp_path
    ):
        unready = tmp_path / "unready"
        make = partial(Squarer, tmp_path, unready)
        unready.write_text(f"{pool.STARTS}")
        with pytest.raises(WorkerError, match=r"before they could.*SIGABRT"):
            list(each(make, range(9)))
        assert none_left()
        unready.write_text(f"{pool.STARTS - 1}")
        assert dict(each(make, range(9))) == {n: n * n for n in range(9)}


class TestTheEndOfTheJob:
    @pytest.fixture
    def job(self, tmp_path):
        """A job in a process group of its own, whose three workers are at work."""
        script = tmp_path / "job.py"
        script.write_text(
            "from functools import partial\n"
            "from pathlib import Path\n"
            "from test_pool import Squarer\n"
            "from dtst_flow.runtime.pool import each\n"
            "if __name__ == '__main__':\n"
            f"    make = partial(Squarer, Path({str(tmp_path)!r}))\n"
            "    list(each(make, ['sleep'] * 3, 3))\n"
        )
        paths = os.pathsep.join([str(SCRIPTS), str(Path(__file__).parent)])
        job = subprocess.Popen(
            [sys.executable, str(script)],
            env=os.environ | {"PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert wait_for(lambda: lives(tmp_path) == [["made", "sleep"]] * 3)
        yield job
        job.kill()
        job.wait()

    @pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
    def test_its_processes_end_with_it(self, job, tmp_path, end, survived):
        survived["kills tried"] += 1
        pids = [int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()]
        assert all(map(is_alive, pids))
        job.send_signal(end)
        assert job.wait() == -end
        assert wait_for(lambda: not any(map(is_alive, pids)), seconds=5)
        assert job.stderr.read() == ""
        survived["kills survived"] += 1

    def test_ctrl_c_leaves_one_traceback(self, job, tmp_path):
        pids = [int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()]
        os.killpg(job.pid, signal.SIGINT)
        job.wait(10)
        assert not any(map(is_alive, pids))
        printed = job.stderr.read()
        assert printed.count("Traceback") == 1 and "KeyboardInterrupt" in printed
