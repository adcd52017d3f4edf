import ctypes
import os
from types import SimpleNamespace

import pytest

from dtst_flow.utils import gpu


@pytest.fixture
def driver(monkeypatch):
    """What stands for Nvidia's driver: finds two devices, until told otherwise."""
    fake = SimpleNamespace(found=2, error=0)

    def get_count(pointer):
        pointer._obj.value = fake.found
        return 0

    fake.cuInit, fake.cuDeviceGetCount = lambda flags: fake.error, get_count
    monkeypatch.setattr(ctypes, "CDLL", lambda name: fake)
    return fake


@pytest.fixture(autouse=True)
def visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")


def test_the_driver_counts(driver):
    assert gpu.count() == 2


def test_a_driver_that_does_not_start_has_none(driver):
    driver.error = 100
    assert gpu.count() == 0


def test_without_a_driver_there_is_none(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert gpu.count() == 0


def test_a_job_that_was_given_none_sees_none(driver):
    gpu.hold(0)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_job_keeps_what_the_scheduler_gave_it(driver):
    gpu.hold(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,3"


def test_a_gpu_that_is_not_there_is_told(driver):
    driver.found = 0
    with pytest.raises(SystemExit, match=r"sees none on .*'1,3'.*gpu: false"):
        gpu.hold(1)
