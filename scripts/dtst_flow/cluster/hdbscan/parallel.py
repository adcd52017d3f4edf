"""Loops that numpy cannot express, compiled by numba, and threads that run them.

Compiled loops do not hold Python's global lock, so several threads run at once.
"""

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

from threadpoolctl import threadpool_info, threadpool_limits

# Otherwise numba searches the current folder, the dataset's, for a file that may name a
# folder of machine code to load.
os.environ.setdefault("NUMBA_CACHE_DIR", "")

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
Item = TypeVar("Item")
Result = TypeVar("Result")


def compiled(function: Function) -> Function:
    """Compile a function at its first call, without Python's global lock.

    The machine code is kept beside the source, otherwise in the user's cache folder, so
    that only the first run waits for it, a second or two for all functions. Where
    neither folder can be written, every process compiles again.
    """
    try:
        return cast(Function, njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(Function, njit(nogil=True)(function))


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 0
) -> Iterator[Result]:
    """Compute items in threads: as many as BLAS may use, each with a BLAS of one thread.

    One thread computes a whole block, and BLAS stays single-threaded meanwhile, because
    its own threads would spin, at full load, during all that is not a product of
    matrices.

    Args:
        function: What to compute of an item.
        items: What to compute; taken only a few ahead of the results that are consumed.
        threads: How many threads, 0 for as many as BLAS may use.

    Yields:
        The results in the order of the items.
    """
    threads = threads or blas_threads()
    waiting: deque[Future[Result]] = deque()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@functools.cache
def blas_threads() -> int:
    """The number of threads that BLAS uses by itself, as set by OPENBLAS_NUM_THREADS.

    Determined once: inside of `in_threads` it would be 1.
    """
    pools = threadpool_info()
    return max((p["num_threads"] for p in pools if p["user_api"] == "blas"), default=1)
