"""What a failed job was to make is gone, and the next run makes it, whatever is there."""

import shutil

import pytest

NOTHING = "Nothing to be done"
CLUSTER = {"embeddings/s.jsonl", "embeddings/s.npy", "failed/s.jsonl"}


@pytest.mark.parametrize(
    ("bucket", "outputs"),
    [
        ("faces", {"inventory"}),
        ("faces", {"faces/s.jsonl", "failed/s.jsonl"}),
        ("faces", {"summary.json", "failed.jsonl"}),
        ("cluster", {"inventory"}),
        ("cluster", CLUSTER),
        ("cluster", {"summary.json", "failed.jsonl"}),
    ],
)
def test_failed_job_is_not_forgotten(dataset, survived, bucket, outputs):
    """Snakemake deletes all that a job makes when it fails, and keeps what there was
    from it before further on."""
    before = dataset.results()
    survived["faults injected"] += 1
    for output in outputs:
        path = dataset.folder / ".dtst/buckets" / bucket / output
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert NOTHING not in dataset.run()
    assert set(dataset.computed().values()) <= {0} or bucket == "cluster"
    assert "cluster" in dataset.jobs()
    assert dataset.results() == before
    assert NOTHING in dataset.run("--dry-run")
    survived["faults survived"] += 1
