"""What a job measures of itself: the time of images beyond the first, and memory."""

import json
import subprocess
import sys

import pytest

from dtst_flow.runtime import meter
from dtst_flow.runtime.meter import Meter
from helpers.dataset import environment


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    seconds = [100.0]
    monkeypatch.setattr(meter, "monotonic", lambda: seconds[0])
    return seconds


def ticked(clock, at_once: int, *images: tuple[float, bool]) -> Meter:
    """A meter after images, each of which took so many seconds and was computed or not."""
    found = Meter(at_once)
    for seconds, computed in images:
        clock[0] += seconds
        found.tick(computed)
    return found


def test_the_first_image_waits_for_the_model_and_is_not_timed(clock):
    found = ticked(clock, 1, (9, True), (2, True), (3, True))
    assert (found.computed, found.timed, found.seconds) == (3, 2, 5)


def test_nor_is_a_whole_batch_or_the_first_of_each_worker(clock):
    found = ticked(clock, 3, (9, True), (0, True), (0, True), (6, True), (0, True))
    assert (found.computed, found.timed, found.seconds) == (5, 2, 6)


def test_images_known_from_records_take_no_time_of_those_computed(clock):
    found = ticked(clock, 1, (9, True), (1, False), (2, True), (4, False))
    assert (found.computed, found.timed, found.seconds) == (2, 1, 2)


def test_the_note_tells_the_time_of_the_process(tmp_path):
    Meter().note(tmp_path / "embed.s01.json")
    noted = json.loads((tmp_path / "embed.s01.cost").read_text())
    assert noted["began"] == meter._began < noted["ended"]


@pytest.mark.parametrize("size", [0, 200_000_000])
def test_the_note_tells_the_most_memory_held_and_that_of_workers(tmp_path, size):
    script = (
        "import subprocess, sys\nfrom pathlib import Path\n"
        "from dtst_flow.runtime.meter import Meter\n"
        f"child = 'held = bytearray(b\"x\" * {size // 2})'\n"
        "subprocess.run([sys.executable, '-c', child])\n"
        f"held = bytearray(b'x' * {size})\ndel held\n"
        "Meter().note(Path('embed.s.json'))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), check=True
    )
    noted = json.loads((tmp_path / "embed.s.cost").read_text())
    # Twice, as the bytes are there before the array.
    assert 0 <= noted["memory"] - 2 * size < 100_000_000
    assert 0 <= noted["worker"] - size < 100_000_000
