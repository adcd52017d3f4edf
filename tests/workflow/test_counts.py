"""What a run costs, told by counts, which are the same on any machine."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from skimage import data
from skimage.io import imsave

from helpers.dataset import environment

WORDS = ["extract-faces", "-d", "crowd", "--from", "images", "--to", "faces"]
WORDS += ["--engine", "dlib", "--cores", "1"]

WATCHED = "snakemake.cli nbformat.v4 dlib jsonschema dtst_flow.stages.cluster"
"""Modules whose loading is counted."""

WATCH = """
import os, re, sys
log = os.open(os.environ["COUNTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
watched = os.environ["WATCHED"].split()
def watch(event, arguments):
    if event == "open" and re.search(r"images/\\d+\\.jpg$", str(arguments[0])):
        os.write(log, b"photo read\\n")
    elif event == "os.scandir" and str(arguments[0]).endswith("images"):
        os.write(log, b"source listed\\n")
    elif event == "import" and arguments[0] in watched:
        os.write(log, f"{arguments[0]} loaded\\n".encode())
os.write(log, b"interpreter\\n")
sys.addaudithook(watch)
"""
"""What every Python of a run executes at its start."""


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs dtst, and gives what happened how often."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH)
    images = tmp_path / "crowd/images"
    images.mkdir(parents=True)

    def run(photos: int) -> Counter:
        for number in range(photos):
            path = images / f"{number}.jpg"
            if not path.exists():
                imsave(path, data.astronaut()[number:], check_contrast=False)
        log = tmp_path / "counted"
        log.unlink(missing_ok=True)
        variables = environment() | {"COUNTED": str(log), "WATCHED": WATCHED}
        variables["PYTHONPATH"] = f"{tmp_path / 'watch'}:{variables['PYTHONPATH']}"
        main = "from dtst_flow.cli.main import main; main(prog_name='dtst')"
        subprocess.run(
            [sys.executable, "-P", "-c", main, *WORDS],
            cwd=tmp_path,
            env=variables,
            check=True,
        )
        return Counter(Path(log).read_text().splitlines())

    return run


def test_a_run_costs_no_more_than_it_must(run):
    first = run(photos=3)
    # dtst, which Snakemake and jobs are forks of; a photo is read to tell its content, and
    # to look at it. dtst lists the source, and the job that lists it for all others.
    most = {"interpreter": 1, "snakemake.cli loaded": 1, "photo read": 2 * 3}
    most["source listed"] = 2
    assert first == first | most
    assert first["dlib loaded"] <= 2
    assert first["nbformat.v4 loaded"] == 0  # it is for notebooks
    assert first["dtst_flow.stages.cluster loaded"] == 0  # as of all other stages
    # Snakemake is not loaded, nor what checks settings that were right before.
    assert run(photos=3) == {"interpreter": 1, "source listed": 1}
    more = run(photos=4)
    assert more["interpreter"] == 1 and more["photo read"] == 2
    assert more["source listed"] == 2
