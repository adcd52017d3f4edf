"""Taking hold of a dataset folder, or saying in a sentence why that cannot be."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dtst_flow.dataset.state import JOBS
from dtst_flow.runtime import run_lock, watchdog


@contextmanager
def taken(dataset: Path, unlock: bool = False) -> Iterator[tuple[int, ...]]:
    """Hold a dataset folder for a run, and clear what a killed one left.

    unlock  remove a lock as well of which nobody knows whether its run is at work

    Gives the file descriptors that hold it, also in a process that they are passed to.
    Raises click.ClickException where a run is at work.
    """
    try:
        held = run_lock.acquire(dataset)
    except BlockingIOError:
        run = run_lock.current(dataset) or "another run, which has just begun"
        raise click.ClickException(f"{dataset} is in use by {run}") from None
    try:
        if run_lock.is_locked(dataset):
            _clear(dataset, unlock, held is not None)
        (dataset / run_lock.NOTE).unlink(missing_ok=True)
        yield () if held is None else (held,)
    finally:
        if held is not None:
            os.close(held)


def _clear(dataset: Path, unlock: bool, certain: bool) -> None:
    """Remove Snakemake's lock, if its run is over.

    certain  whether no run that could be seen from here is at work
    """
    run = run_lock.current(dataset)
    if not unlock and run is None:
        raise click.ClickException(
            f"{dataset} is locked: another run is at work there, or one was killed. "
            "If none is, run this again with --unlock."
        )
    if not unlock and not (certain and run.is_here):
        raise click.ClickException(
            f"{dataset} is locked by {run}; whether that is still at work cannot be "
            "told from here. If it is not, run this again with --unlock."
        )
    run_lock.unlock(dataset)
    click.echo(f"removed the lock of {run or 'an unknown run'}", err=True)
    if not watchdog.wait(dataset / JOBS):
        click.echo("jobs of it are still at work; going on beside them", err=True)
