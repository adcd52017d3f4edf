"""Who decides whether a job asks for a GPU: the machine on which the run starts."""

import pytest

from dtst_flow.utils import gpu
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
