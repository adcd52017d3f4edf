"""Inner products of unit vectors: fast, and wrong by no more than is known."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from dtst_flow.cluster.hdbscan.rows import NORM_ERROR
from dtst_flow.cluster.hdbscan.threads import in_threads
from dtst_flow.utils import gpu

BLOCK = 1024
"""Rows and columns of one product: 4 MB of float32, which a core's cache about holds."""

GPU_BLOCK = 4096
"""The same on a GPU, where a small product costs no less than its launch."""

GPU_ROWS = 20_000
"""From so many rows on a GPU saves more time than the import of PyTorch takes."""

NEVER = np.float32(2)
"""A limit that no product of unit vectors reaches."""

Limits = Callable[[slice, slice], tuple[np.ndarray, ...]]
"""Rows and columns of a block of (r, c) products -> float32 arrays that broadcast to it.

A product is of interest that exceeds the limit of any of them.
"""

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""(p,) int row, (p,) int column, (p,) float32 product."""


class Arrays(NamedTuple):
    """Where products are computed: numpy and torch, which share the names used here.

    module   numpy or torch
    put      takes an array of numpy's there
    get      takes one from there
    block    rows and columns of one product
    threads  how many blocks at once, 0 for as many as BLAS may use
    """

    module: Any
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]
    block: int = BLOCK
    threads: int = 0


HOST = Arrays(np, np.asarray, np.asarray)


def torch_arrays(device: str, block: int = GPU_BLOCK) -> Arrays:
    """Arrays of PyTorch, whose products keep all bits of float32 (no TF32)."""
    import torch

    torch.set_float32_matmul_precision("highest")
    return Arrays(
        torch,
        lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device),
        lambda tensor: tensor.cpu().numpy(),
        block,
        threads=1,
    )


def best_arrays(rows: int) -> Arrays:
    """A GPU's for many rows where PyTorch has one, otherwise the host's.

    PyTorch, which takes a second and half a gigabyte, is not even imported without.
    """
    if rows < GPU_ROWS or not gpu.count() or find_spec("torch") is None:
        return HOST
    import torch

    return torch_arrays("cuda") if torch.cuda.is_available() else HOST


def error(dimensions: int) -> float:
    """Return e such that 2 - 2 s is the squared distance of two unit vectors within e.

    s is their inner product as float32 arithmetic gives it, in whatever order it sums:
    that is wrong by at most d u / (1 - d u) with u = 2**-24 (Higham 2002, Accuracy and
    Stability of Numerical Algorithms, 3.5). Their lengths are wrong by NORM_ERROR; as
    much again is for limits that are rounded to float32. 6.5e-5 at d = 512.
    """
    rounding = dimensions * 2.0**-24
    return 2.001 * rounding / (1 - rounding) + 4 * NORM_ERROR


def product_at(distance: np.ndarray, error: float) -> np.ndarray:
    """Return (p,) float32, the products that pairs nearer than (p,) distances exceed.

    error  that of `error`: as it is allowed for, some pairs farther apart exceed it, too
    """
    return (1 - (distance**2 + error) / 2).astype(np.float32)


def close_pairs(
    left: np.ndarray,
    right: np.ndarray | None,
    limits: Limits,
    arrays: Arrays = HOST,
) -> Iterator[Pairs]:
    """Yield, block by block, the pairs whose product exceeds a limit.

    left, right  (n, d) and (m, d) float32 unit vectors; without right, every pair of
                 two different rows of left once, the lower row first
    limits       asked anew for each block, some blocks ahead: what the caller learns
                 from one helps with those that follow

    2 n m d operations, half without right; memory for one block a thread, and a copy of
    both sides on a GPU.
    """
    rows = arrays.put(left)
    columns = rows if right is None else arrays.put(right)

    def blocks() -> Iterator[tuple]:
        for i in _slices(len(rows), arrays.block):
            start = i.start if right is None else 0
            for j in _slices(len(columns), arrays.block, start):
                yield i, j, *map(arrays.put, limits(i, j))

    def above(block: tuple) -> Pairs:
        i, j, limit, *others = block
        products = arrays.module.matmul(rows[i], columns[j].T)
        mask = products > limit
        for limit in others:
            mask |= products > limit
        flat = arrays.module.where(mask.ravel())[0]
        found = arrays.get(products.ravel()[flat])
        row, column = np.divmod(arrays.get(flat), j.stop - j.start)
        row += i.start
        column += j.start
        if right is None and i == j:
            upper = row < column
            row, column, found = row[upper], column[upper], found[upper]
        return row, column, found

    yield from in_threads(above, blocks(), arrays.threads)


def _slices(stop: int, step: int, start: int = 0) -> Iterator[slice]:
    for i in range(start, stop, step):
        yield slice(i, min(i + step, stop))
