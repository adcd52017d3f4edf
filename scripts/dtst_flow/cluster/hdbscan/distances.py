"""Distances of unit vectors: bounded by products of matrices, or measured exactly.

Products are fast, and wrong by no more than `error`. They rule out most pairs.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan.parallel import compiled, in_threads
from dtst_flow.cluster.hdbscan.rows import NORM_ERROR
from dtst_flow.utils import gpu

BLOCK = 1024
"""Rows and columns of one product: 4 MB of float32, which about fits a core's cache."""

GPU_BLOCK = 4096
"""The same on a GPU, where a small product costs no less than its launch."""

GPU_ROWS = 20_000
"""From this many rows on a GPU saves more time than the import of PyTorch takes."""

CHUNK = 1 << 14
"""Pairs that a thread measures at once."""

NEVER = np.float32(2)
"""A limit that no product of unit vectors reaches."""

Limits = Callable[[slice, slice], tuple[NDArray[np.float32], ...]]
"""Rows and columns of a block of (r, c) products -> arrays that broadcast to (r, c).

A product is of interest that exceeds the limit in any of them.
"""

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]
"""(p,) row, (p,) column, (p,) product."""


class Arrays(NamedTuple):
    """Where products are computed: numpy or torch, which share the names used here.

    Attributes:
        module: numpy or torch.
        put: Moves an array of numpy to there.
        get: Moves an array from there to numpy.
        block: Rows and columns of one product.
        threads: How many blocks at once, 0 for as many as BLAS may use.
    """

    module: Any
    put: Callable[[NDArray[Any]], Any]
    get: Callable[[Any], NDArray[Any]]
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
    """A GPU's arrays for many rows where PyTorch has a GPU, otherwise the host's.

    Without a GPU, PyTorch is not even imported: that takes a second and half a gigabyte.
    """
    if rows < GPU_ROWS or not gpu.count() or find_spec("torch") is None:
        return HOST
    import torch

    return torch_arrays("cuda") if torch.cuda.is_available() else HOST


def error(dimensions: int) -> float:
    """Return e such that 2 - 2 s is the squared distance of two unit vectors within e.

    s is their inner product as float32 arithmetic gives it, in whatever order it sums:
    that is wrong by at most d u / (1 - d u) with u = 2**-24 (Higham 2002, Accuracy and
    Stability of Numerical Algorithms, 3.5). Their lengths are wrong by NORM_ERROR; the
    same amount again is for limits that are rounded to float32. 6.5e-5 at d = 512.
    """
    rounding = dimensions * 2.0**-24
    return 2.001 * rounding / (1 - rounding) + 4 * NORM_ERROR


def product_at(distance: NDArray[np.float64], slack: float) -> NDArray[np.float32]:
    """The products that pairs nearer than some distances exceed.

    Args:
        distance: (p,) euclidean distances.
        slack: What `error` returns: as it is allowed for, some pairs that are farther
            apart exceed the product, too.

    Returns:
        (p,) products.
    """
    products: NDArray[np.float64] = 1 - (distance**2 + slack) / 2
    return products.astype(np.float32)


def close_pairs(
    left: NDArray[np.float32],
    right: NDArray[np.float32] | None,
    limits: Limits,
    arrays: Arrays = HOST,
) -> Iterator[Pairs]:
    """Yield, block by block, the pairs whose product exceeds a limit.

    2 n m d operations, half as many without right; memory for one block a thread, and
    for a copy of both sides on a GPU.

    Args:
        left: (n, d) unit vectors.
        right: (m, d) unit vectors; None for every pair of two different rows of left
            once, the lower row first.
        limits: Called for each block, some blocks ahead: what the caller learns from one
            block helps with those that follow.
        arrays: Where products are computed.

    Yields:
        The rows of left, the rows of right, and the products of some pairs.
    """
    rows = arrays.put(left)
    columns = rows if right is None else arrays.put(right)

    def blocks() -> Iterator[tuple[slice, slice, list[Any]]]:
        for i in _slices(len(rows), arrays.block):
            start = i.start if right is None else 0
            for j in _slices(len(columns), arrays.block, start):
                yield i, j, [arrays.put(limit) for limit in limits(i, j)]

    def above(block: tuple[slice, slice, list[Any]]) -> Pairs:
        i, j, block_limits = block
        products = arrays.module.matmul(rows[i], columns[j].T)
        row, column, values = _exceeding(products, block_limits, arrays)
        row += i.start
        column += j.start
        if right is None and i == j:
            upper = row < column
            row, column, values = row[upper], column[upper], values[upper]
        return row, column, values

    yield from in_threads(above, blocks(), arrays.threads)


def _exceeding(products: Any, limits: list[Any], arrays: Arrays) -> Pairs:
    """The (r, c) products that exceed any of the limits, all of them in `arrays`."""
    first, *others = limits
    mask = products > first
    for limit in others:
        mask |= products > limit
    flat = arrays.module.where(mask.ravel())[0]
    row, column = np.divmod(arrays.get(flat), products.shape[1])
    return row, column, arrays.get(products.ravel()[flat])


def _slices(stop: int, step: int, start: int = 0) -> Iterator[slice]:
    for i in range(start, stop, step):
        yield slice(i, min(i + step, stop))


def euclidean(
    vectors: NDArray[np.float32], i: NDArray[np.intp], j: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Measure the exact distances of chosen pairs.

    Every bit is as in hdbscan and scikit-learn, which subtract in float64 and sum the
    squares from first to last: distances that are equal there are equal here.

    Args:
        vectors: (n, d) vectors.
        i: (p,) rows.
        j: (p,) the other row of each pair.

    Returns:
        (p,) distances.
    """
    distances = np.empty(len(i))

    def measure(start: int) -> None:
        part = slice(start, start + CHUNK)
        _euclidean(vectors, i[part], j[part], distances[part])

    if len(i) <= CHUNK:
        measure(0)
    else:
        for _ in in_threads(measure, range(0, len(i), CHUNK)):
            pass
    return distances


def mutual_reachability(
    vectors: NDArray[np.float32],
    core: NDArray[np.float64],
    i: NDArray[np.intp],
    j: NDArray[np.intp],
) -> NDArray[np.float64]:
    """The largest of the distance and both core distances of pairs, (p,)."""
    return np.maximum(euclidean(vectors, i, j), np.maximum(core[i], core[j]))


@compiled
def _euclidean(
    vectors: NDArray[np.float32],
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    distances: NDArray[np.float64],
) -> None:
    """Write the distances of pairs into an array."""
    for pair in range(len(i)):
        total = 0.0
        for k in range(vectors.shape[1]):
            difference = np.float64(vectors[i[pair], k]) - np.float64(
                vectors[j[pair], k]
            )
            total += difference * difference
        distances[pair] = np.sqrt(total)
