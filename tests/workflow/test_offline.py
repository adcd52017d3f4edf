"""Jobs work on machines that reach nothing: what they need was fetched before."""

import subprocess
import sys

import pytest

from dtst_flow.cache import code_version
from helpers.dataset import ROOT, environment

ALONE = ("unshare", "--map-root-user", "--net")
"""Runs a command where there is no network, not even to the machine itself."""


def test_a_run_needs_no_network(finished, tmp_path):
    if subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody take the network from a process")
    anew = finished.from_nothing(tmp_path)
    main = "from dtst_flow.cli.main import main; main(prog_name='dtst')"
    words = ["run", "faces", str(ROOT / "demo/demo.yaml"), "-d", str(anew.folder)]
    command = [*ALONE, sys.executable, "-c", main, *words]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True)
    assert anew.results() == finished.results()


@pytest.mark.parametrize(
    "stage",
    sorted(p.stem for p in (ROOT / "scripts/dtst_flow/stages").glob("[!_]*.py")),
)
def test_no_stage_can_download(stage):
    seen: dict[str, str] = {}
    code_version._collect(f"stages.{stage}", seen)
    assert f"stages.{stage}" in seen
    assert "models.download" not in seen
