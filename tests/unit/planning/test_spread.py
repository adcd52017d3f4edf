from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.planning import spread

MANY = 1000


def shared_out(shards: int, cores: int, most: int = MANY) -> list[int]:
    names = [f"s{n}" for n in range(shards)]
    return [spread.workers(name, names, cores, most) for name in names]


@pytest.mark.parametrize(
    ("shards", "cores", "workers"),
    [
        (1, 2, [2]),
        (1, 16, [16]),
        (3, 8, [3, 3, 2]),
        (2, 2, [1, 1]),
        (5, 2, [1, 1, 1, 1, 1]),
    ],
)
def test_cores_are_shared_out(shards, cores, workers):
    assert shared_out(shards, cores) == workers


@given(st.integers(1, 50), st.integers(1, 200), st.integers(0, 50))
def test_no_core_is_idle_or_asked_for_twice(shards, cores, most):
    workers = shared_out(shards, cores)
    assert min(workers) >= 1
    assert sum(workers) == max(shards, cores)
    assert max(workers) - min(workers) <= 1
    assert shared_out(shards, cores, most) == [max(1, min(w, most)) for w in workers]


def test_memory_holds_the_fewer_the_larger_they_are():
    all_in = spread.in_memory(1)
    assert all_in > 100
    assert spread.in_memory(10) == pytest.approx(all_in / 10, abs=1)
    assert spread.in_memory(2 * all_in) == 0


@pytest.mark.parametrize(("limit", "count"), [("3000000000\n", 3), ("max\n", None)])
def test_limit_of_a_control_group_counts(limit, count, tmp_path, monkeypatch):
    whole = spread.in_memory(1000)
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(spread, "Path", lambda _: Path(tmp_path / "memory.max"))
    monkeypatch.setattr(spread.os, "sysconf", lambda _: 100_000)  # squared, 10 GB
    assert spread.in_memory(1000) == count or (count is None and whole)


@pytest.mark.parametrize(
    ("images", "threads", "gigabytes"),
    [
        (1, 1, 1),
        (20_000, 1, 1),
        (200_000, 10, 6),
        (1_000_000, 32, 23),
        (10**7, 32, 203),
    ],
)
def test_a_cluster_is_asked_for_what_grouping_takes(images, threads, gigabytes):
    assert spread.grouping_threads(images) == threads
    asked = spread.grouping_memory(images, threads)
    assert round(asked / 1000) == gigabytes
