"""The arithmetic of forecasts."""

import pytest

from dtst_flow.forecast import estimate
from dtst_flow.forecast.costs import Rate
from dtst_flow.forecast.estimate import Estimate

RATE = Rate(begin=3.0, image=0.5, memory=100, images=0)


@pytest.mark.parametrize(
    ("shards", "workers", "at_once", "seconds"),
    [
        ([10], 1, 4, 8),
        ([10, 10], 1, 1, 16),
        ([10, 10], 1, 2, 8),
        ([10, 2, 2], 1, 2, 8),
        ([2, 2, 10], 1, 2, 8),
        ([10, 10, 10], 1, 2, 16),
        ([10], 5, 1, 4),
    ],
)
def test_jobs_run_beside_each_other_as_far_as_there_are_cores(
    shards, workers, at_once, seconds
):
    assert estimate.schedule(shards, RATE, workers, at_once) == seconds


def test_work_is_that_of_all_workers_of_all_jobs():
    assert estimate.work([10, 20], RATE, 1) == 2 * 3 + 30 * 0.5
    assert estimate.work([10, 20], RATE, 4) == 8 * 3 + 30 * 0.5


@pytest.mark.parametrize(
    ("cores", "workers", "gpu", "jobs"),
    [(8, 1, False, 8), (8, 3, False, 2), (2, 4, False, 1), (8, 1, True, 1)],
)
def test_jobs_at_once_share_the_cores_or_the_gpu(cores, workers, gpu, jobs):
    assert estimate.at_once(cores, workers, gpu) == jobs


@pytest.mark.parametrize(
    ("images", "shards"),
    [(256, [256]), (257, [128, 129]), (1000, [250] * 4), (0, [])],
)
def test_a_bucket_to_come_falls_into_halves_of_halves(images, shards):
    assert estimate.evenly(images, 256) == shards


class TestGrown:
    def test_what_took_too_short_to_tell_grows_as_is_usual(self):
        found = estimate.grown(2.0, 100, 20_000, 2, estimate.PAIR)
        assert found == pytest.approx(2 + 3, rel=0.01)

    def test_what_took_long_grows_from_what_was_measured(self):
        found = estimate.grown(12.0, 20_000, 40_000, 2, estimate.PAIR)
        assert found == pytest.approx(48)

    def test_for_as_many_images_it_is_what_was_measured(self):
        assert estimate.grown(12.0, 20_000, 20_000, 2, estimate.PAIR) == 12.0

    def test_for_fewer_it_never_falls_to_nothing(self):
        assert estimate.grown(12.0, 20_000, 10, 2, estimate.PAIR) == 1.0


def test_stages_follow_one_another():
    one = Estimate(10, 20, 30, 400, 2, ("calibrated on 5 images",))
    other = Estimate(1, 2, 3, 500, 1)
    assert estimate.total([one, other]) == Estimate(11, 22, 33, 500, 2)


class TestTold:
    found = Estimate(71.4, 9300, 45e6, 600e6, 2)

    def test_time_cores_disk_and_memory(self):
        assert estimate.told(self.found, free=2.1e11) == (
            "about 1 min 11 s on 2 cores, 45 MB on disk (210 GB free), 600 MB of memory"
        )

    def test_how_it_is_known_comes_last(self):
        found = Estimate(5, 5, 1e6, 1e8, 1, ("calibrated on 5 images", "guessed"))
        assert estimate.told(found) == (
            "about 5 s on 1 core, 1 MB on disk, 100 MB of memory; "
            "calibrated on 5 images, guessed"
        )

    def test_elsewhere_only_the_work_is_known(self):
        assert estimate.told(self.found, elsewhere=True) == (
            "about 2 h 35 min of CPU time"
        )


def test_too_little_of_anything_is_said_with_what_helps():
    found = Estimate(1, 1, disk=3e9, memory=5e9, cores=1)
    assert estimate.warnings(found, free=3e9, memory=5e9) == []
    disk, memory = estimate.warnings(found, free=2e9, memory=4e9)
    assert "3 GB are needed, 2 GB are free" in disk and "--link" in disk
    assert "5 GB are needed" in memory and "--workers" in memory
