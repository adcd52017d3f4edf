"""Commands of which nobody reads what they say, as with `| head -0`."""

import os
import subprocess
import sys

import pytest

from helpers import clustered
from helpers.dataset import environment

START = "from dtst_flow.cli.start import start; start()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return clustered.write(tmp_path_factory.mktemp("unread") / "crowd")


@pytest.mark.parametrize(
    "words",
    [
        ["labels", "adopt", "--forget"],
        ["diff", "--json"],
        ["report", "--json", "--to", "none"],
        ["review", "--json"],
        ["review", "--no-browser"],
    ],
    ids=" ".join,
)
def test_a_closed_pipe_ends_a_command_without_a_word(folder, words):
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", START, *words, "-d", str(folder)],
            stdout=write,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (1, b"")
