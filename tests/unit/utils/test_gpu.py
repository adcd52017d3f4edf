import ctypes
import os
import sys
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


# What can use one


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Makes PyTorch one that was built for a CUDA, or None, and loads nothing of it."""

    def install(cuda: str | None) -> None:
        folder = tmp_path / "torch"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text(
            "raise SystemExit('it is not to be loaded')"
        )
        (folder / "version.py").write_text(
            "from typing import Optional\n"
            f"__version__ = '2.14.1'\ncuda: Optional[str] = {cuda!r}\n"
            "hip: Optional[str] = None\n"
        )
        (tmp_path / "open_clip.py").touch()
        monkeypatch.delitem(sys.modules, "torch", raising=False)
        monkeypatch.syspath_prepend(tmp_path)

    return install


@pytest.mark.parametrize("runtime", ["torch", "open_clip"])
def test_pytorch_tells_in_a_file_what_it_is_built_for(installed, runtime):
    installed("13.0")
    assert gpu.fault(runtime) == ""
    installed(None)
    assert "built for CPUs" in gpu.fault(runtime)


def test_what_is_not_installed_uses_none(monkeypatch):
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    assert gpu.fault("torch") == "torch is not installed (pip install torch)"
    assert "pip install open_clip_torch" in gpu.fault("open_clip")
    assert gpu.fault("onnxruntime") == "onnxruntime is not installed"


@pytest.fixture
def for_cuda(monkeypatch):
    """ONNX Runtime is one that was built for CUDA 13."""
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: print("noise"))
    monkeypatch.setattr("onnxruntime.cuda_version", "13.0", raising=False)


def test_onnx_runtime_is_asked_for_its_providers(monkeypatch):
    providers = ["CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    assert gpu.fault("onnxruntime") == (
        "the onnxruntime installed is built for CPUs "
        "(pip install 'onnxruntime-gpu[cuda,cudnn]')"
    )


def test_onnx_runtime_for_cuda_uses_it(for_cuda, driver, capsys):
    assert gpu.fault("onnxruntime") == ""
    assert capsys.readouterr().out == ""


def test_onnx_runtime_needs_the_libraries_of_cuda(for_cuda, monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert "does not find libcublasLt.so.13 (pip" in gpu.fault("onnxruntime")
