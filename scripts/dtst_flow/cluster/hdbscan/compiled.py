"""Loops that numpy cannot express, compiled by numba."""

import os
from collections.abc import Callable

# Else numba looks into the current folder, the dataset's, for a file that may name a
# folder of machine code to load.
os.environ.setdefault("NUMBA_CACHE_DIR", "")

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile a function at its first call, without Python's global lock.

    The machine code is kept beside the source, else in the user's cache folder, so that
    only the first run waits for it, a second or two for all. Where neither folder can be
    written, every process compiles anew.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)
