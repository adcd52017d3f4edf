"""The end of a run: its forecast is held against it, its cost is kept."""

import platform
from pathlib import Path

import pytest

from dtst_flow.dataset.state import PROGRESS, state_of
from dtst_flow.forecast import costs
from dtst_flow.forecast.verdict import (
    Run,
    forecast_file,
    keep_forecast,
    name_of,
    record_run,
    took,
)
from dtst_flow.planning.plan import Plan
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import write_table

SETTINGS = {
    "extract_faces": {
        "to": "faces",
        "engine": "dlib",
        "search": True,
        "weights": None,
        "workers": 2,
    },
    "cluster": {
        "to": "cluster",
        "model": "dlib",
        "clip_model": "x",
        "weights": None,
        "link": "copy",
    },
}


def plan(path: str = "faces") -> Plan:
    return Plan(Path("/crowd"), path, SETTINGS, False)


NAME = name_of(plan(), 4, frozenset(), 20)


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


def record(finished: bool = True) -> str:
    return record_run(Run(plan(), 4, frozenset(), 100.0, finished))


def kept() -> dict[str, costs.Cost]:
    """Rule -> what it cost."""
    rules = {"extract_faces": "extract_faces", "embed": "cluster", "cluster": "cluster"}
    keys = {
        rule: costs.key_of(STAGES[stage], rule, SETTINGS[stage], False)
        for rule, stage in rules.items()
    }
    rows = costs.read()
    assert rows.keys() - {costs.RUN} == set(keys.values())
    names = {key: rule for rule, key in keys.items()} | {costs.RUN: "run"}
    return {names[key]: cost for key, cost in rows.items()}


def test_a_forecast_is_held_against_the_run():
    keep_forecast(NAME, 77.0)
    assert record() == "took 1 min 40 s; the forecast said 1 min 17 s (23 % less)"
    assert not forecast_file().exists()


@pytest.mark.parametrize(
    "name",
    [
        name_of(plan(), 4, frozenset(), 21),
        name_of(plan(), 2, frozenset(), 20),
        name_of(plan(), 4, frozenset({"embed"}), 20),
        name_of(plan("cluster"), 4, frozenset(), 20),
    ],
)
def test_one_of_another_command_or_other_images_goes_unsaid(name):
    keep_forecast(name, 77.0)
    assert record() == ""
    assert not forecast_file().exists()


def test_one_of_another_dataset_stays_there(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path / "other")
        keep_forecast(NAME, 77.0)
        other = forecast_file()
    assert record() == "" and other.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"asked": 1}', b"[" * 100_000])
def test_one_that_is_none_is_as_good_as_none(content):
    write_atomic(forecast_file(), content)
    assert record() == ""


def test_nor_is_anything_said_of_a_run_that_failed():
    keep_forecast(NAME, 77.0)
    assert record(finished=False) == ""


def test_what_the_run_cost_is_kept():
    record()
    found = kept()
    faces, clusters = found["extract_faces"], found["cluster"]
    assert faces.image == 2 * 27.0 / 18 and faces.begin == 40 - 20 * 1.5
    assert faces.memory == 100 + 2 * 10
    assert clusters.images == 30 and clusters.begin == pytest.approx(10 - 2.9)
    # Of 100 seconds the jobs lasted 70; the rest is that of two stages.
    assert found["run"].begin == 30 / 2


def test_of_a_run_that_failed_what_its_jobs_cost():
    record(finished=False)
    assert kept().keys() == {"extract_faces", "embed", "cluster"}


def test_a_cache_that_cannot_be_written_fails_no_run(tmp_path):
    (tmp_path / "cache").write_text("no folder")
    keep_forecast(NAME, 77.0)
    assert record() == ""


@pytest.mark.parametrize(
    ("seconds", "said", "words"),
    [(100, 150, "50 % more"), (100, 97, "about right"), (100, 20, "80 % less")],
)
def test_how_far_off(seconds, said, words):
    assert took(seconds, said).endswith(f"({words})")
