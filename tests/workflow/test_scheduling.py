"""How often Snakemake checks the waiting jobs, and that a user may limit new jobs."""

from pathlib import Path

import pytest
from PIL import Image

from helpers.dataset import Dataset

SHARDS = 4
SETTINGS = {
    "path": "extract-classes",
    "shard_size": 1,
    "extract_classes": {"from": "images"},
}


@pytest.fixture
def dots(tmp_path: Path) -> Dataset:
    """Photos that make a shard each."""
    dataset = Dataset(tmp_path / "dots")
    (dataset.folder / "images").mkdir(parents=True)
    for i in range(SHARDS):
        photo = Image.new("RGB", (64, 64), (i, 90, 120))
        photo.save(dataset.folder / f"images/{i}.png")
    return dataset


def test_waiting_jobs_are_checked_only_when_one_has_ended(dots):
    """Fails when Snakemake changes so that onstart no longer drops its limit."""
    printed = dots.run("--verbose", "--cores", "1", settings=SETTINGS)
    jobs = printed.count("Finished jobid: ")
    assert jobs > SHARDS
    assert printed.count("Ready jobs: ") == jobs


def test_a_users_limit_of_new_jobs_is_kept(dots):
    limit = ("--max-jobs-per-timespan", "1/4s")
    printed = dots.run(*limit, "--cores", "2", settings=SETTINGS)
    assert "Job rate limit reached" in printed
