"""What the processes of a test session share, as pytest-xdist has several."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """Return a folder that the first process to ask for it makes; the others wait."""
    folder = _home(factory) / name
    done = folder.with_name(f"{name}.done")
    with alone(factory, name):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@contextmanager
def alone(factory: pytest.TempPathFactory, name: str) -> Iterator[None]:
    """Keep the other processes that come here by the same name waiting."""
    with open(_home(factory) / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _home(factory: pytest.TempPathFactory) -> Path:
    """The folder of this session."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
