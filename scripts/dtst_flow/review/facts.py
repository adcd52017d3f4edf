"""What the vectors tell of a clustering of any size, block by block.

Centres, distances and when two clusters are perhaps the same are those of `report.facts`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from dtst_flow.report.alike import MOST, Nearest, nearest
from dtst_flow.report.facts import MARGIN, SAME, unit
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.rows import Rows

BLOCK = 512
"""Images that are compared with all others at once."""


@dataclass(frozen=True)
class Facts:
    """The facts of one clustering of n images in k clusters.

    Attributes:
        own: (n,) float32, of a member the distance to the centre of its cluster.
        other: (n,) float32, the distance to the nearest other centre.
        spreads: (k,) float32, the mean distance of the members to their centre.
        doubtful: (n,) bool, members that are hardly nearer to their own centre.
        clusters: The nearest clusters of each cluster, by their centres.
        singles: The numbers of the images in noise that can be compared.
        near_singles: The nearest clusters of each of them.
        alike: The nearest of them of each, by their place in `singles`.
    """

    own: NDArray[np.float32]
    other: NDArray[np.float32]
    spreads: NDArray[np.float32]
    doubtful: NDArray[np.bool_]
    clusters: Nearest
    singles: NDArray[np.intp]
    near_singles: Nearest
    alike: Nearest

    def near_cluster(self, n: int) -> tuple[int, float] | None:
        """The cluster nearest to an image in noise, and how far it is, if any."""
        at = int(np.searchsorted(self.singles, n))
        if at == len(self.singles) or self.singles[at] != n:
            return None
        near = int(self.near_singles.which[at, 0])
        return (near, float(self.near_singles.distances[at, 0])) if near >= 0 else None

    def same(self, cluster: int) -> tuple[int, float] | None:
        """The cluster that is perhaps the same, and how far it is; most often None."""
        near = int(self.clusters.which[cluster, 0])
        distance = float(self.clusters.distances[cluster, 0])
        if near < 0 or distance > SAME * min(self.spreads[[cluster, near]]):
            return None
        return near, distance


def compute(clustering: Clustering, rows: Rows) -> Facts:
    """Compute the facts, on one core: the page is served meanwhile."""
    with threadpool_limits(1):
        return _compute(clustering, rows)


def _compute(clustering: Clustering, rows: Rows) -> Facts:
    members = clustering.noise
    centres = _centres(clustering, rows)
    own = np.full(len(clustering.paths), np.nan, np.float32)
    other = own.copy()
    for start in range(0, members, BLOCK):
        part = np.arange(start, min(start + BLOCK, members))
        distances = 1 - rows.vectors(part) @ centres.T
        at = np.arange(len(part)), clustering.of[part]
        own[part] = distances[at]
        distances[at] = np.inf
        other[part] = distances.min(axis=1)
    starts = [cluster.start for cluster in clustering.clusters]
    sizes = np.array([cluster.size for cluster in clustering.clusters])
    sums = np.add.reduceat(own[:members], starts) if starts else np.zeros(0)
    singles = np.array(
        [n for n in range(members, clustering.rejected) if _counts(clustering, n)],
        np.intp,
    )
    vectors = rows.vectors(singles)
    usable = vectors.any(axis=1)
    singles, vectors = singles[usable], vectors[usable]
    among = vectors[:MOST]
    return Facts(
        own=own,
        other=other,
        spreads=(sums / sizes if starts else sums).astype(np.float32),
        doubtful=other - own < MARGIN * own,
        clusters=nearest(centres, centres, itself=True),
        singles=singles,
        near_singles=nearest(vectors, centres),
        alike=nearest(among, among, itself=True),
    )


def _counts(clustering: Clustering, n: int) -> bool:
    return n not in clustering.unrecognisable


def _centres(clustering: Clustering, rows: Rows) -> NDArray[np.float32]:
    """The centre of each cluster, (k, d), of length 1."""
    sums = np.zeros((len(clustering.clusters), rows.width), np.float64)
    for start in range(0, clustering.noise, BLOCK):
        part = np.arange(start, min(start + BLOCK, clustering.noise))
        of = clustering.of[part]  # in order, as members are
        heads = np.flatnonzero(np.diff(of, prepend=-1))
        sums[of[heads]] += np.add.reduceat(rows.vectors(part), heads, dtype=np.float64)
    return unit(sums).astype(np.float32)
