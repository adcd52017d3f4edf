"""A SLURM cluster on this machine."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.dataset import ROOT
from helpers.on_cluster import Cluster
from helpers.once import alone

PACKAGES = (
    "pandas",
    "snakemake-executor-plugin-slurm",
    "snakemake-executor-plugin-slurm-jobstep",
)
"""The plugin and what it needs besides what is installed."""


@pytest.fixture(scope="package")
def tool(shared) -> Path:
    """The script that makes a cluster, where it can."""
    if os.geteuid() or not Path("/etc/debian_version").exists():
        pytest.skip("starting SLURM needs root and Debian")
    if not (shutil.which("apt-get") or shutil.which("slurmctld")):
        pytest.skip("SLURM is not installed, and there is no apt to do so")
    return shared / "tools/slurm-local.sh"


@pytest.fixture(scope="package")
def plugin(tool, tmp_path_factory) -> Path:
    """A folder with the SLURM plugin, kept out of other tests' environment.

    Every start of Snakemake loads it where it is installed.
    """
    folder = tmp_path_factory.mktemp("plugin")
    pins = dict(
        re.findall(r"(?m)^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text())
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--target", str(folder)),
            *(f"{name}=={pins[name]}" for name in PACKAGES),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"the SLURM plugin cannot be installed: {done.stderr}")
    return folder


@pytest.fixture(scope="package")
def cluster(tool, plugin, tmp_path_factory) -> Iterator[Cluster]:
    """A cluster of three nodes; all of it is gone after the tests.

    There can be one on a machine, so the tests' other processes wait for its end.
    """
    cluster = Cluster(tool, tmp_path_factory.mktemp("cluster"))
    with alone(tmp_path_factory, "slurm"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(plugin))
        try:
            cluster.call("start")
            yield cluster
        finally:
            cluster.call("purge")
