"""dtst check: what is looked at, when it fails, and that it fits on a screen."""

import errno
import fcntl
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from dtst_flow.cli import health
from dtst_flow.cli.main import main
from dtst_flow.models.errors import ModelMissing, WrongContent
from dtst_flow.runtime import run_lock
from dtst_flow.utils import gpu

Usage = namedtuple("Usage", "total used free")
DEFAULT = ["face_landmarker", "arcface_r50"]


@pytest.fixture
def models(monkeypatch):
    """Models that are not here: name -> what `resolve` raises."""
    faults = {}

    def resolve(name):
        if name in faults:
            raise faults[name]

    monkeypatch.setattr(health.store, "resolve", resolve)
    monkeypatch.setattr(health.gpu, "count", lambda: 0)
    return faults


def call(*words: str, **variables: str):
    environment = {"COLUMNS": "100", **variables}
    return CliRunner().invoke(main, ["check", *words], env=environment)


def findings(*words: str) -> dict[str, list[dict]]:
    """Topic -> its findings; the exit code is 1 where one of them is broken."""
    result = call(*words, "--json")
    value = json.loads(result.stdout)
    states = [finding["state"] for finding in value["findings"]]
    assert value["ok"] == ("broken" not in states) == (result.exit_code == 0)
    topics: dict[str, list[dict]] = {}
    for finding in value["findings"]:
        topics.setdefault(finding["topic"], []).append(finding)
    return topics


def test_all_is_well_on_one_screen(models, tmp_path):
    result = call("-d", str(tmp_path))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 100
    assert lines[0].startswith("ok      versions    dtst-flow ")
    assert lines[-1] == "a default run can work here"
    assert "\x1b" not in result.output


def test_colours_are_for_terminals_alone(models):
    coloured = CliRunner().invoke(main, ["check"], color=True)
    assert "\x1b[32mok" in coloured.output
    plain = CliRunner(env={"NO_COLOR": "1"}).invoke(main, ["check"], color=True)
    assert "\x1b" not in plain.output


def test_versions_are_told(models):
    known = json.loads(call("--json").stdout)["versions"]
    assert {"dtst-flow", "Python", "snakemake", "numpy", "mediapipe"} <= set(known)


@pytest.mark.parametrize("name", DEFAULT)
@pytest.mark.parametrize("fault", [ModelMissing("gone"), WrongContent("x is other\ny")])
def test_a_default_run_needs_its_models(models, name, fault):
    models[name] = fault
    result = call()
    assert result.exit_code == 1
    if isinstance(fault, ModelMissing):
        assert f"{name} is missing" in result.output
        assert f"-> dtst models fetch {name}\n" in result.output
    else:
        assert "x is other" in result.output and "fetch" not in result.output


def test_models_of_other_paths_are_but_noted(models):
    models |= dict.fromkeys(["clip_vit_b32", "mobileclip2_b"], ModelMissing("gone"))
    found = findings()["weights"]
    assert [finding["state"] for finding in found] == ["ok", "ok", *["note"] * 3]
    assert found[-1]["fix"] == "dtst models fetch clip_vit_b32 mobileclip2_b"


def test_a_library_that_cannot_be_loaded(models, monkeypatch):
    def load(name):
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(health.importlib, "import_module", load)
    (finding,) = findings()["libraries"]
    assert finding["state"] == "broken" and "cv2: libGL.so.1" in finding["said"]
    assert "opencv-python-headless" in finding["fix"]


@pytest.mark.parametrize(
    ("builds", "headless", "state", "said"),
    [
        (["opencv-python-headless"], True, "ok", "opencv-python-headless 1 (headless)"),
        (["opencv-python"], False, "ok", "opencv-python 1 (desktop)"),
        (health.OPENCV, True, "ok", "4 builds overwrite each other, headless"),
        (health.OPENCV[:2], False, "note", "2 builds overwrite each other, desktop"),
    ],
)
def test_builds_of_opencv(models, monkeypatch, builds, headless, state, said):
    def version(package):
        if package in health.OPENCV and package not in builds:
            raise health.PackageNotFoundError
        return "1"

    monkeypatch.setattr(health, "version", version)
    monkeypatch.setattr(health, "_is_headless", lambda: headless)
    (finding,) = findings()["OpenCV"]
    assert finding["state"] == state and finding["said"].startswith(said)


@pytest.mark.skipif(gpu.count() > 0, reason="there is a GPU")
def test_a_gpu_that_nothing_here_can_use(models, monkeypatch):
    assert findings()["GPU"][0]["said"].startswith("none")
    monkeypatch.setattr(health.gpu, "count", lambda: 1)
    (finding,) = findings()["GPU"]
    assert finding["state"] == "note" and "onnxruntime" in finding["said"]


def test_a_run_at_work_is_named(models, tmp_path):
    held = run_lock.acquire(tmp_path)
    run_lock.begin(tmp_path, "dtst", os.getpid())
    (finding,) = findings("-d", str(tmp_path))["locks"]
    assert finding["state"] == "broken" and str(os.getpid()) in finding["said"]
    os.close(held)
    assert findings("-d", str(tmp_path))["locks"][0]["state"] == "ok"


def test_a_lock_left_by_a_killed_run(models, tmp_path):
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    (finding,) = findings("-d", str(tmp_path))["locks"]
    assert finding["state"] == "note" and "--unlock" in finding["fix"]


def test_a_file_system_without_locks(models, tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (finding,) = findings("-d", str(tmp_path))["locks"]
    assert finding["state"] == "note" and "has none" in finding["said"]


def test_it_leaves_a_dataset_as_it_is(models, tmp_path):
    call("-d", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(models, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9, 9, 0))
    assert findings()["disk"][0]["fix"] == "make room"


def test_a_home_that_cannot_be_written_to_is_but_noted(models, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (finding,) = findings()["home"]
    assert finding["state"] == "note" and "cannot be written to" in finding["said"]


@pytest.mark.parametrize("plugin", [True, False])
def test_slurm(models, monkeypatch, plugin):
    find = health.find_spec
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(
        health,
        "find_spec",
        lambda name: plugin or None if "slurm" in name else find(name),
    )
    (finding,) = findings()["SLURM"]
    assert finding["state"] == ("ok" if plugin else "note")
    assert finding["said"].startswith("/bin/sbatch")


def test_a_dataset_that_is_not_there_is_a_wrong_word():
    result = call("-d", str(Path("nowhere")))
    assert result.exit_code == 2 and "nowhere" in result.output
