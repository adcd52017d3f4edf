"""One real run of path images, on shots of a few photos."""

from pathlib import Path

from dtst_flow.cluster.metrics import bcubed
from helpers.sights import PHOTOS, SHOTS, found_in, images_of


def test_shots_of_a_photo_are_grouped(grouped):
    found, paths = found_in(grouped), images_of(grouped)
    assert len(paths) == len(PHOTOS) * SHOTS
    known = [Path(path).stem.partition("_")[0] for path in paths]
    assert bcubed([found.get(path) for path in paths], known)[2] > 0.95
