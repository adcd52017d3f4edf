"""Threads: as many as BLAS may use, each with a BLAS of one thread."""

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_info, threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 0
) -> Iterator[Result]:
    """Yield the results in the order of the items, few ahead of what is consumed.

    One thread computes a whole block and BLAS stays single-threaded meanwhile, as its
    own threads would spin, at full load, through all that is not a product of matrices.

    threads  0 for as many as BLAS may use
    """
    threads = threads or blas_threads()
    waiting = deque()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@functools.cache
def blas_threads() -> int:
    """The number of threads that BLAS uses by itself, as OPENBLAS_NUM_THREADS has it.

    Asked once: inside of `in_threads` it would be 1.
    """
    pools = threadpool_info()
    return max((p["num_threads"] for p in pools if p["user_api"] == "blas"), default=1)
