"""Keeps Snakemake from looking at all waiting jobs ever more often."""

import threading


def one_look_ahead(scheduler) -> None:
    """Let one of the looks that a scheduler plans be due at a time.

    scheduler  a `snakemake.scheduling.job_scheduler.JobScheduler`; one that plans no looks
               is left as it is

    So that no more jobs start in a second than --max-jobs-per-timespan allows, Snakemake
    plans with every look at the waiting jobs another one, a second later. A job's end is
    reason for a look, too, and so n ended jobs mean n looks a second, each with a thread
    that waits for it: with hundreds of jobs most of a core (Snakemake 9.27; its issue 3804
    tells of the threads).
    """
    if not hasattr(scheduler, "_schedule_reevalutation"):
        return
    planned = threading.Lock()

    def plan(delay):
        if planned.acquire(blocking=False):
            timer = threading.Timer(delay, look)
            timer.daemon = True  # Snakemake need not wait for it at its end
            timer.start()

    def look():
        planned.release()
        scheduler._open_jobs.release()

    scheduler._schedule_reevalutation = plan
