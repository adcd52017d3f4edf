"""Damaged images: the reader gives a picture or a reason, whatever a file holds.

A file that once broke it is kept in ``seeds/images`` and read in every run.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from helpers.dataset import ROOT, environment

SEEDS = Path(__file__).parent / "seeds/images"
SECONDS = 60
HOURS = 2
EXAMPLES = 1000
"""That one process tries; it takes seconds."""

WAIT = 600
"""Seconds for one process; it ends itself much earlier when an image hangs."""


def call(*words: str) -> str:
    """Run the fuzzer; returns how it failed, "" when it did not."""
    done = subprocess.run(
        [sys.executable, "-m", "helpers.fuzz_images", *words],
        cwd=ROOT / "tests",
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    if not done.returncode:
        return ""
    return f"exit code {done.returncode}\n{done.stdout}{done.stderr}"


def test_files_kept(survived):
    paths = sorted(map(str, SEEDS.iterdir()))
    survived["nasty files"] += len(paths)
    assert len(paths) > 20 and call("check", *paths) == ""
    survived["nasty files right"] += len(paths)


def test_damaged_images(tmp_path, long):
    """For a minute, or hours; a process dies with the decoder it runs."""
    end = monotonic() + (HOURS * 3600 if long else SECONDS)
    last, number = tmp_path / "last", 0
    while monotonic() < end:
        failure = call("fuzz", str(last), str(number), str(EXAMPLES))
        if failure:
            name = hashlib.sha256(last.read_bytes()).hexdigest()[:12]
            (SEEDS / name).write_bytes(last.read_bytes())
            pytest.fail(f"seed {number}: {failure}\nkept as {SEEDS / name}")
        number += 1
    print(f"{number * EXAMPLES} damaged images were read")
    assert number
