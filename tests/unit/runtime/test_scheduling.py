import threading
from types import SimpleNamespace

from snakemake.scheduling.job_scheduler import JobScheduler

from dtst_flow.runtime.scheduling import one_look_ahead


def test_snakemake_plans_looks_as_it_did():
    """It may have learned not to; the module is of no use then."""
    scheduler = SimpleNamespace(_open_jobs=threading.Semaphore(0))
    for _ in range(3):
        JobScheduler._schedule_reevalutation(scheduler, 0.01)
    assert looks(scheduler) == 3


def test_one_look_is_planned_at_a_time():
    scheduler = SimpleNamespace(
        _open_jobs=threading.Semaphore(0), _schedule_reevalutation=None
    )
    one_look_ahead(scheduler)
    for _ in range(3):
        scheduler._schedule_reevalutation(0.01)
    assert looks(scheduler) == 1
    scheduler._schedule_reevalutation(0.01)
    assert looks(scheduler) == 1


def looks(scheduler) -> int:
    """How often a scheduler is woken, until a while passes without."""
    count = 0
    while scheduler._open_jobs.acquire(timeout=0.5):
        count += 1
    return count


def test_a_scheduler_without_plans_is_left_alone():
    scheduler = SimpleNamespace()
    one_look_ahead(scheduler)
    assert vars(scheduler) == {}
