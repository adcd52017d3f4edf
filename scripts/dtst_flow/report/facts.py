"""What the vectors tell of a clustering: doubtful members, clusters that are alike.

The centre of a cluster is the mean of its members, brought to length 1. All distances
are cosine distances: 1 - cosine, from 0 for alike to 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.report import alike

BLOCK = 4096
"""Rows that are compared with all centres at once, which bounds the memory."""


SAME = 2.0
"""Two clusters are perhaps the same up to so many times the spread of the tighter one."""

MARGIN = 0.5
"""A member is doubtful if another centre is farther than its own by less than this share
of the distance to its own."""


@dataclass(frozen=True)
class Near:
    """A cluster and the distance to its centre."""

    cluster: int
    distance: float


@dataclass(frozen=True)
class Doubt:
    """A member, the distance to its own centre, and the nearest other one, if any."""

    row: int
    own: float
    other: Near | None

    @property
    def is_doubtful(self) -> bool:
        """Whether it is hardly nearer to its own centre than to another."""
        near = self.other
        return near is not None and near.distance - self.own < MARGIN * self.own


@dataclass(frozen=True)
class Pair:
    """Two clusters that are perhaps the same, the lower number first."""

    clusters: tuple[int, int]
    distance: float


class Facts:
    """The facts of one clustering.

    Args:
        vectors: (n, d) of any float type.
        groups: The rows of each cluster, (m,).

    Attributes:
        vectors: (n, d), of length 1; zero where there is no direction.
        groups: The rows of each cluster, (m,).
        centres: (k, d) float64, of length 1.
        neighbours: The nearest other cluster of each cluster.
    """

    def __init__(
        self, vectors: NDArray[np.floating], groups: Sequence[NDArray[np.intp]]
    ):
        self.vectors = unit(vectors)
        self.groups = groups
        sums = [self.vectors[rows].sum(axis=0, dtype=np.float64) for rows in groups]
        width = self.vectors.shape[1]
        self.centres = unit(np.array(sums).reshape(len(groups), width))
        self._own = [
            1.0 - self.vectors[rows].astype(np.float64) @ centre
            for rows, centre in zip(groups, self.centres, strict=True)
        ]
        self.neighbours = nearest(self.centres, self.centres, np.arange(len(groups)))

    def closest(self, rows: NDArray[np.intp]) -> list[Near | None]:
        """The cluster whose centre is nearest to each row; None without any."""
        return nearest(self.vectors[rows], self.centres)

    def alike(
        self, rows: NDArray[np.intp], parameters: Mapping[str, Any]
    ) -> list[list[int]]:
        """Sets of some rows that are near to each other, the largest first.

        Args:
            rows: (m,), of which those without a direction do not count.
            parameters: The parameters of the clustering.
        """
        among = rows[self.vectors[rows].any(axis=1)][: alike.MOST]
        vectors = self.vectors[among].astype(np.float32)
        spreads = np.array([own.mean() for own in self._own])
        near = alike.nearest(vectors, vectors, itself=True)
        found = alike.sets(near, alike.reach(parameters, spreads))
        return [[int(among[i]) for i in places] for places in found]

    def doubts(self, cluster: int) -> list[Doubt]:
        """The members of a cluster, the most doubtful first.

        A member is doubtful if it is hardly nearer to its own centre than to another.
        What counts is the difference of the two distances, the numerator of the
        simplified silhouette (Hruschka, de Castro & Campello 2004), or where there is no
        other centre, the distance to its own.
        """
        rows, own = self.groups[cluster], self._own[cluster]
        others = nearest(self.vectors[rows], self.centres, np.full(len(rows), cluster))
        margins = [
            other.distance - distance if other else 0.0
            for other, distance in zip(others, own, strict=True)
        ]
        order = np.lexsort((-own, np.round(margins, 9)))
        return [Doubt(int(rows[i]), float(own[i]), others[i]) for i in order]

    def same(self, cluster: int) -> bool:
        """Whether a cluster and its nearest one are perhaps the same.

        They are where the distance of their centres is at most twice the spread of the
        tighter one, the mean distance of its members to its centre. With the spreads of
        both added up this would be a similarity of 1 or more by Davies & Bouldin (1979);
        but then one loose cluster resembles all others. No threshold that depends on the
        model is needed.
        """
        near = self.neighbours[cluster]
        if near is None:
            return False
        spreads = self._own[cluster].mean(), self._own[near.cluster].mean()
        return bool(near.distance <= SAME * min(spreads))

    def pairs(self) -> list[Pair]:
        """The clusters that are perhaps the same, the closest first."""
        distances = {
            (min(i, near.cluster), max(i, near.cluster)): near.distance
            for i, near in enumerate(self.neighbours)
            if near and self.same(i)
        }
        ordered = sorted(distances.items(), key=lambda item: (item[1], item[0]))
        return [Pair(clusters, distance) for clusters, distance in ordered]


def unit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows brought to length 1; those that have no direction become zero."""
    vectors = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: NDArray[np.floating] = vectors / np.where(lengths > 0, lengths, 1)
    return directions


def nearest(
    rows: NDArray[np.floating],
    centres: NDArray[np.floating],
    own: NDArray[np.intp] | None = None,
) -> list[Near | None]:
    """The nearest centre of each row.

    Args:
        rows: (m, d), of length 1; nothing is near to those that are zero.
        centres: (k, d), of length 1.
        own: (m,), a centre for each row that does not count.
    """
    neighbours: list[Near | None] = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        at = np.arange(len(block))
        distances = 1.0 - block.astype(np.float64) @ centres.T
        if own is not None:
            distances[at, own[start : start + BLOCK]] = np.inf
        distances[~block.any(axis=1)] = np.inf
        if not distances.shape[1]:
            neighbours += [None] * len(block)
            continue
        best = distances.argmin(axis=1)
        neighbours += [
            Near(int(i), max(0.0, float(d))) if np.isfinite(d) else None
            for i, d in zip(best, distances[at, best], strict=True)
        ]
    return neighbours
