"""Who decides whether a job asks for a GPU: the machine on which the run starts."""

import shutil
import subprocess

import pytest

from dtst_flow.utils import gpu
from helpers import sights
from helpers.dataset import NOTHING

ON_A_NODE = ("--mode", "remote", "--cores", "1", "--target-jobs", "embed:shard=s")
"""How the executors of clusters call Snakemake for a job, in short."""


@pytest.fixture
def told(monkeypatch):
    """The environment says that a GPU was asked for; there is none."""
    if gpu.count():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("DTST_GPU", "embed")


def test_a_node_takes_it_from_there(dataset, told):
    dataset.run(*ON_A_NODE, "--allowed-rules", "embed", "--force", ok=False)
    log = dataset.folder / ".dtst/logs/embed/cluster/s.log"
    assert "This job was to have a GPU" in log.read_text()


def test_the_start_of_a_run_looks_for_itself(dataset, told):
    assert NOTHING in dataset.run()


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """What stands for Nvidia's driver and finds one GPU, for all processes."""
    if gpu.count() or not shutil.which("cc"):
        pytest.skip("this machine has a GPU, or no C compiler")
    source = tmp_path / "driver.c"
    source.write_text(
        "int cuInit(unsigned flags) { return 0; }\n"
        "int cuDeviceGetCount(int *count) { *count = 1; return 0; }\n"
    )
    words = ["cc", "-shared", "-fPIC", "-o", str(tmp_path / "libcuda.so.1")]
    subprocess.run([*words, str(source)], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))


@pytest.mark.skipif(not gpu.fault("onnxruntime"), reason="ONNX Runtime can use a GPU")
def test_a_gpu_that_cannot_be_used_is_told_once(grouped, tmp_path, driver):
    dataset = grouped.copy(tmp_path)
    words = ("--forcerun", "embed")
    printed = dataset.run(*words, settings=sights.MODEL)
    assert (
        printed.count("this machine has a GPU, but models run on the CPU; embed") == 1
    )
