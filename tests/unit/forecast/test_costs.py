"""What runs have cost: summed up from jobs' notes, kept, and found again."""

import json
import platform

import pytest

from dtst_flow.forecast import costs
from dtst_flow.forecast.costs import Rate

HERE = platform.node()


def note(began: float, ended: float, computed: int, seconds: float, **more) -> dict:
    """What a job noted that timed all images but the first."""
    values = {"host": HERE, "began": began, "ended": ended, "computed": computed}
    values |= {"timed": computed - 1, "seconds": seconds, "memory": 100, "worker": 0}
    return values | more


def cost(**values) -> costs.Cost:
    given = {
        "rule": "embed",
        "depends": "{}",
        "dataset": "/crowd",
        "host": HERE,
        "jobs": 2,
        "timed": 10,
        "seconds": 5.0,
        "begun": 6.0,
        "memory": 100,
        "images": 50,
    }
    return costs.Cost(**given | values)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dtst-flow/costs.jsonl"


def of_jobs(*notes: dict, workers: int = 1) -> costs.Cost | None:
    return costs.of_jobs("embed", "{}", "/crowd", notes, workers, 50)


class TestOfJobs:
    def test_what_is_not_computing_is_what_a_job_begins_with(self):
        found = of_jobs(note(0, 10, 4, 6.0))
        assert (found.timed, found.seconds) == (3, 6.0)
        assert found.begun == 10 - 4 * 2.0

    def test_seconds_are_those_of_one_worker(self):
        found = of_jobs(note(0, 10, 4, 6.0), workers=3)
        assert found.seconds == 18.0 and found.begun == 2.0

    def test_memory_is_that_of_the_largest_job_with_its_workers(self):
        small, large = note(0, 9, 4, 6.0), note(0, 9, 4, 6.0, memory=120, worker=50)
        assert of_jobs(small, large, workers=2).memory == 220

    def test_a_job_also_waits_for_its_turn(self):
        found = of_jobs(note(0, 10, 4, 6.0), note(11, 20, 4, 6.0), note(21, 31, 4, 6.0))
        assert found.begun == pytest.approx(10 + 9 + 10 + 3 * 1 - 12 * 2)

    def test_jobs_elsewhere_tell_nothing_of_this_machine(self):
        assert of_jobs(note(0, 10, 4, 6.0, host="other")) is None

    def test_nor_does_a_single_image_of_how_long_the_next_takes(self):
        assert of_jobs(note(0, 10, 1, 0.0)) is None

    def test_jobs_that_computed_nothing_tell_how_long_they_take_to_begin(self):
        assert of_jobs(note(0, 4, 0, 0.0, timed=0)).begun == 4


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([(0, 5)], 0),
        ([(0, 5), (0, 6)], 0),
        ([(0, 5), (0, 6), (7, 9), (7, 9)], 1.5),
        ([(0, 5), (5.5, 9), (10.5, 11)], 1),
    ],
)
def test_gap_is_between_the_end_of_one_and_the_begin_of_the_next(times, seconds):
    notes = [{"began": began, "ended": ended} for began, ended in times]
    assert costs.gap(notes) == seconds


def test_rate_weighs_runs_by_their_images_and_jobs():
    long = cost(timed=90, seconds=195.0, jobs=8, begun=34.0, memory=70, images=900)
    assert costs.rate([cost(), long]) == Rate(4.0, 2.0, 100, 900)


def test_depends_on_what_the_stage_computes_with():
    clip = {"model": "clip", "clip_model": "ViT-B-32/x", "weights": None, "top": 3}
    one = costs.depends("embed", clip, gpu=False)
    assert one == costs.depends("embed", clip | {"top": None}, gpu=False)
    assert one != costs.depends("embed", clip | {"clip_model": "ViT-L-14/x"}, False)
    assert one != costs.depends("embed", clip, gpu=True)


class TestTable:
    def test_what_is_kept_is_found_under_the_same_circumstances(self):
        others = [
            cost(rule="detect"),
            cost(depends='{"gpu":true}'),
            cost(dataset="/x"),
            cost(host="other"),
        ]
        costs.keep([cost(timed=1), *others])
        costs.keep([cost(timed=2)])
        there = costs.read()
        found = costs.past(there, "embed", "{}", "/crowd")
        assert [c.timed for c in found] == [1, 2]
        assert len(costs.past(there, "embed", "{}")) == 3

    def test_only_the_last_rows_are_kept(self, monkeypatch):
        monkeypatch.setattr(costs, "ALL_KEPT", costs.ROWS_KEPT + 2)
        costs.keep([cost(dataset="/x"), cost(dataset="/y")])
        for timed in range(20):
            costs.keep([cost(timed=timed)])
        costs.keep([cost(dataset="/z")])
        there = costs.read()
        found = costs.past(there, "embed", "{}", "/crowd")
        assert [c.timed for c in found] == [15, 16, 17, 18, 19]
        assert [c.dataset for c in there if c not in found] == ["/y", "/z"]

    def test_lines_that_are_no_rows_are_passed_over(self, cache):
        costs.keep([cost()])
        row = json.loads(cache.read_text())
        with open(cache, "ab") as lines:
            for bad in ({}, 7, row | {"jobs": 0}, row | {"seconds": "5"}, {"x": row}):
                lines.write(json.dumps(bad).encode() + b"\n")
            lines.write(b'\xff{"rule":\n' + b"[" * 100_000)
        assert costs.read() == [cost()]

    def test_no_table_is_an_empty_one(self):
        assert costs.read() == []
