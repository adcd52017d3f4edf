"""A job asks for a GPU only where what runs its model can use it."""

import pytest

from dtst_flow.planning import devices
from dtst_flow.planning.plan import make_plan
from helpers.plans import complete

CPU = "built for CPUs"


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs, that some libraries can use."""

    def be(gpus: int, *able: str) -> None:
        monkeypatch.setattr(devices.gpu, "count", lambda: gpus)
        monkeypatch.setattr(
            devices.gpu, "fault", lambda name: "" if name in able else f"{name} {CPU}"
        )

    return be


def plan(folder, path="faces", detect=None, **cluster):
    sections = {
        "detect": {"classes": "car"} | (detect or {}),
        "cluster": {"from": "faces"} | cluster,
    }
    return make_plan(complete(folder, path, **sections))


def rules(*words, **settings) -> set[str]:
    return set(devices.rules_on_gpu(*words, **settings))


def test_without_a_gpu_nobody_asks_for_one(tmp_path, machine):
    machine(0, "onnxruntime", "torch", "open_clip")
    assert rules(plan(tmp_path), None) == set()
    assert devices.unused_gpu(plan(tmp_path), None) == ""


def test_a_gpu_that_nothing_can_use_leaves_jobs_side_by_side(tmp_path, machine):
    machine(2)
    assert rules(plan(tmp_path), None) == set()
    assert devices.unused_gpu(plan(tmp_path), None) == (
        "this machine has a GPU, but models run on the CPU; embed: onnxruntime "
        "built for CPUs"
    )


@pytest.mark.parametrize(
    ("able", "settings", "asking"),
    [
        (["onnxruntime"], {"model": "arcface"}, {"embed"}),
        (["onnxruntime"], {"model": "efficientnet"}, {"embed"}),
        (["torch", "open_clip"], {"model": "arcface"}, {"cluster"}),
        (["torch", "open_clip"], {"model": "clip"}, {"embed", "cluster"}),
        (["torch"], {"model": "clip"}, {"cluster"}),
        (["onnxruntime"], {"model": "clip"}, {"embed"}),
        (["torch", "open_clip"], {"model": "clip", "weights": "x.onnx"}, {"cluster"}),
        (["onnxruntime", "torch"], {"model": "dlib"}, {"cluster"}),
    ],
)
def test_each_rule_asks_where_its_library_can(
    tmp_path, machine, able, settings, asking
):
    machine(1, *able)
    assert rules(plan(tmp_path, **settings), None) == asking


@pytest.mark.parametrize(
    ("able", "settings", "asking"),
    [
        ("torch", {}, {"detect"}),
        ("onnxruntime", {}, set()),
        ("onnxruntime", {"weights": "x.onnx"}, {"detect"}),
        ("torch", {"weights": "x.onnx"}, set()),
        ("torch", {"clear": True}, set()),
    ],
)
def test_detect_asks_where_what_runs_its_file_can(
    tmp_path, machine, able, settings, asking
):
    machine(1, able)
    assert rules(plan(tmp_path, "detect", settings), None) == asking


def test_who_says_no_gets_none_and_hears_nothing(tmp_path, machine):
    machine(1, "onnxruntime")
    assert rules(plan(tmp_path), False) == set()
    assert devices.unused_gpu(plan(tmp_path), False) == ""


def test_who_says_yes_gets_one_for_all_that_may_use_it(tmp_path, machine):
    machine(0)
    assert rules(plan(tmp_path), True) == {"embed", "cluster"}
    assert rules(plan(tmp_path, model="dlib"), True) == {"cluster"}
    assert devices.unused_gpu(plan(tmp_path), True).startswith("a GPU was asked for")


def test_what_is_installed_elsewhere_is_not_known_here(tmp_path, machine):
    machine(1)
    assert rules(plan(tmp_path), None, elsewhere=True) == {"embed", "cluster"}
    assert devices.unused_gpu(plan(tmp_path), None, elsewhere=True) == ""


def test_where_all_models_use_it_nothing_is_said(tmp_path, machine):
    machine(1, "onnxruntime")  # grouping would want torch, but is no model
    assert devices.unused_gpu(plan(tmp_path), None) == ""
    assert devices.unused_gpu(plan(tmp_path, model="dlib"), None) == ""
