"""The end of a run: its forecast is held against it, its cost is kept."""

import platform

import pytest

from dtst_flow.dataset.state import PROGRESS, state_of
from dtst_flow.forecast import costs, verdict
from dtst_flow.forecast.verdict import FORECAST, Forecast, asked, took
from dtst_flow.utils.files import to_json, write_atomic, write_table

SETTINGS = {
    "extract_faces": {"engine": "dlib", "search": True, "weights": None, "workers": 2},
    "cluster": {"model": "dlib", "clip_model": "x", "weights": None, "link": "copy"},
}
BUCKETS = {"extract_faces": "faces", "cluster": "cluster"}
COMMAND = asked("faces", SETTINGS, 4, False)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A dataset whose last run computed 20 photos and 30 faces, one of them in vain."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    job("extract_faces.s", 0, 40, computed=20, timed=18, seconds=27.0)
    job("embed.s", 50, 70, computed=29, timed=20, seconds=10.0, failed=1)
    job("cluster.all", 80, 90, computed=29, timed=28, seconds=2.8)
    for bucket, images in (("faces", 20), ("cluster", 30)):
        rows = ({"path": str(n)} for n in range(images))
        write_table(state_of(bucket) / "inventory/s.jsonl", rows)


def job(name: str, began: float, ended: float, failed: int = 0, **values) -> None:
    values |= {"host": platform.node(), "memory": 100, "worker": 10}
    values |= {"began": began, "ended": ended}
    write_atomic(PROGRESS / f"{name}.json", to_json({"failed": failed}))
    write_atomic(PROGRESS / f"{name}.cost", to_json(values))


def reckon(finished: bool = True) -> str:
    return verdict.reckon("faces", SETTINGS, BUCKETS, 4, False, 100.0, finished)


def test_a_forecast_is_held_against_the_run():
    Forecast(COMMAND, {"extract_faces": 20, "embed": 30}, 77.0).write()
    assert reckon() == "took 1 min 40 s; the forecast said 1 min 17 s (23 % less)"
    assert not FORECAST.exists()


@pytest.mark.parametrize(
    "said",
    [
        Forecast(COMMAND, {"extract_faces": 21}, 77.0),
        Forecast(COMMAND, {"extract_faces": 20, "embed": 29}, 77.0),
        Forecast(COMMAND, {"detect": 3}, 77.0),
        Forecast(asked("faces", SETTINGS, 2, False), {"extract_faces": 20}, 77.0),
        Forecast(asked("cluster", SETTINGS, 4, False), {"extract_faces": 20}, 77.0),
    ],
)
def test_one_of_another_command_or_other_images_goes_unsaid(said):
    said.write()
    assert reckon() == ""
    assert not FORECAST.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"asked": 1}', b"[" * 100_000])
def test_one_that_is_none_is_as_good_as_none(content):
    write_atomic(FORECAST, content)
    assert reckon() == ""


def test_nor_is_anything_said_of_a_run_that_failed():
    Forecast(COMMAND, {"extract_faces": 20}, 77.0).write()
    assert reckon(finished=False) == ""


def test_what_the_run_cost_is_kept():
    reckon()
    found = {cost.rule: cost for cost in costs.read()}
    faces, clusters = found["extract_faces"], found["cluster"]
    assert faces.seconds == 2 * 27.0 and faces.begun == 40 - 20 * 1.5
    assert faces.memory == 100 + 2 * 10
    assert clusters.images == 30 and clusters.begun == pytest.approx(10 - 2.9)
    # Of 100 seconds the jobs lasted 70; the rest is that of two stages.
    assert (found["run"].begun, found["run"].jobs) == (30, 2)


def test_of_a_run_that_failed_what_its_jobs_cost():
    reckon(finished=False)
    assert {cost.rule for cost in costs.read()} == {"extract_faces", "embed", "cluster"}


def test_a_cache_that_cannot_be_written_fails_no_run(tmp_path):
    (tmp_path / "cache").write_text("no folder")
    assert reckon() == ""


@pytest.mark.parametrize(
    ("seconds", "said", "words"),
    [(100, 150, "50 % more"), (100, 97, "about right"), (100, 20, "80 % less")],
)
def test_how_far_off(seconds, said, words):
    assert took(seconds, said).endswith(f"({words})")
