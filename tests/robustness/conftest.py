from contextlib import closing

import pytest

from dtst_flow.runtime import job
from dtst_flow.runtime.worker import answer


@pytest.fixture
def in_this_process(monkeypatch) -> None:
    """Stages do their work here: of thousands of shards not each gets a process of its own."""

    def each(make, rows, workers, patience=None):
        with closing(make()) as worker:
            return [(row, answer(worker, row)) for row in rows]

    monkeypatch.setattr(job, "each", each)
