"""What runs have cost: averaged from jobs' notes, kept, and found again."""

import json
import platform
from dataclasses import replace

import pytest

from dtst_flow.forecast import costs
from dtst_flow.forecast.costs import Cost
from dtst_flow.stages.registry import STAGES

HERE = platform.node()


def note(began: float, ended: float, computed: int, seconds: float, **more) -> dict:
    """What a job noted that timed all images but the first."""
    values = {"host": HERE, "began": began, "ended": ended, "computed": computed}
    values |= {"timed": computed - 1, "seconds": seconds, "memory": 100, "worker": 0}
    return values | more


def cost(**values) -> Cost:
    given = {"key": "embed", "images": 50, "timed": 10, "begin": 3.0, "image": 0.5}
    return Cost(**given | {"memory": 100} | values)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dtst-flow/costs.jsonl"


def of_jobs(*notes: dict, workers: int = 1) -> Cost | None:
    return costs.of_jobs("embed", 50, list(notes), workers)


class TestOfJobs:
    def test_what_is_not_computing_is_what_a_job_begins_with(self):
        found = of_jobs(note(0, 10, 4, 6.0))
        assert (found.timed, found.image) == (3, 2.0)
        assert found.begin == 10 - 4 * 2.0

    def test_jobs_and_images_are_averaged(self):
        found = of_jobs(note(0, 10, 4, 6.0), note(0, 30, 10, 18.0))
        assert found == cost(timed=12, begin=(10 + 30 - 14 * 2) / 2, image=2.0)

    def test_seconds_are_those_of_one_worker(self):
        found = of_jobs(note(0, 10, 4, 6.0), workers=3)
        assert found.image == 6.0 and found.begin == 2.0

    def test_memory_is_that_of_the_largest_job_with_its_workers(self):
        small, large = note(0, 9, 4, 6.0), note(0, 9, 4, 6.0, memory=120, worker=50)
        assert of_jobs(small, large, workers=2).memory == 220

    def test_jobs_elsewhere_tell_nothing_of_this_machine(self):
        assert of_jobs(note(0, 10, 4, 6.0, host="other")) is None

    def test_nor_does_a_single_image_of_how_long_the_next_takes(self):
        assert of_jobs(note(0, 10, 1, 0.0)) is None


def test_depends_on_what_the_stage_computes_with_and_where(tmp_path, monkeypatch):
    clip = {"model": "clip", "clip_model": "ViT-B-32/x", "weights": None, "top": 3}
    clip["link"] = "copy"

    def key(rule="embed", gpu=False, **more) -> str:
        return costs.key_of(STAGES["cluster"], rule, clip | more, gpu)

    assert key() == key(top=None) == key(link="hard")
    others = {key(clip_model="ViT-L-14/x"), key(gpu=True), key("cluster")}
    others.add(key("cluster", link="hard"))
    monkeypatch.chdir(tmp_path)
    others.add(key())
    monkeypatch.undo()
    assert len(others - {key()}) == 5


class TestTable:
    def test_what_is_kept_is_found_under_its_key(self):
        costs.keep([cost(), cost(key="detect")])
        costs.keep([cost(key="run")])
        assert costs.read() == {c.key: c for c in map(_key, ("embed", "detect", "run"))}

    def test_runs_are_averaged_by_their_images_and_those_before_count_half(self):
        costs.keep([cost(timed=20, begin=3.0, image=0.5, memory=100)])
        costs.keep([cost(timed=30, begin=7.0, image=2.5, memory=70, images=60)])
        costs.keep([])
        share = 30 / (20 / 2 + 30)
        assert costs.read()["embed"] == Cost(
            "embed", 60, 40, 3 + share * 4, 0.5 + share * 2, 100
        )

    def test_only_the_last_rows_are_kept(self, monkeypatch):
        monkeypatch.setattr(costs, "ROWS_KEPT", 3)
        costs.keep(map(_key, "abc"))
        costs.keep(map(_key, "ad"))
        assert list(costs.read()) == ["c", "a", "d"]

    def test_lines_that_are_no_rows_are_skipped(self, cache):
        costs.keep([cost()])
        row = json.loads(cache.read_text())
        with open(cache, "ab") as lines:
            bad = [{}, 7, row | {"timed": 0}, row | {"image": "5"}, {"x": row}]
            for value in [*bad, row | {"key": ["a"]}, row | {"begin": -1}]:
                lines.write(json.dumps(value).encode() + b"\n")
            lines.write(b'\xff{"rule":\n' + b"[" * 100_000)
        assert costs.read() == {"embed": cost()}

    def test_rows_of_an_earlier_version_are_skipped(self, cache):
        cache.parent.mkdir()
        cache.write_text('{"rule":"embed","depends":"{}","dataset":"/x","jobs":2}\n')
        assert costs.read() == {}

    def test_no_table_is_an_empty_one(self):
        assert costs.read() == {}


def _key(name: str) -> Cost:
    return replace(cost(), key=name)
