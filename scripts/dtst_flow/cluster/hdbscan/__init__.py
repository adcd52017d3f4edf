"""HDBSCAN of unit vectors: exact, at about the cost of multiplying them by each other.

Campello, Moulavi & Sander 2013, Density-Based Clustering Based on Hierarchical Density
Estimates. The labels are those of ``hdbscan.HDBSCAN(algorithm="prims_kdtree")``, which
is what that package does by default above 60 dimensions, ties included.

A product of float32 matrices gives all distances within a known error. That is enough to
rule out almost all pairs, and only the remaining few are measured exactly:

- rows: which vectors can be compared; equal rows are folded into one
- distances: bounds by products of blocks of rows, on a GPU where there is one, and exact
  distances of chosen pairs
- neighbours: the nearest neighbours of each row; its core distance
- spanning: the minimum spanning tree of the edges that are known
- sweep: a second round of products, for the edges that are not
- all_pairs: the tree of few rows, by hdbscan's own code
- mst: all of these in turn, and the order in which hdbscan would have found the edges
- tree: single linkage, and hdbscan's own selection of clusters
- parallel: compiled loops and threads
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.hdbscan import all_pairs
from dtst_flow.cluster.hdbscan.rows import Rows, sort_out
from dtst_flow.cluster.hdbscan.tree import select, single_linkage


@dataclass(frozen=True)
class Clustering:
    """The clusters of n vectors, and the tree that they were selected from.

    Attributes:
        labels: (n,) int, -1 for noise.
        usable: (m,) int, the rows that could be compared.
        unusable: (n - m,) int, the other rows, which are noise: zero or not finite.
        linkage: (m - 1, 4) float64, the single-linkage tree of the usable rows by mutual
            reachability distance, as in scipy.cluster.hierarchy: the two parts that
            join, each a position in `usable` if below m, otherwise m + the line of an
            earlier join; their distance; their size.
    """

    labels: NDArray[np.intp]
    usable: NDArray[np.intp]
    unusable: NDArray[np.intp]
    linkage: NDArray[np.float64]

    @property
    def clusters(self) -> list[NDArray[np.intp]]:
        """The rows of each label, ascending."""
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(np.bincount(self.labels + 1))
        return np.split(order, ends[:-1])[1:]


def cluster(
    vectors: NDArray[np.floating],
    min_cluster_size: int,
    min_samples: int,
    method: str = "eom",
    single: float | None = None,
) -> Clustering:
    """Cluster by the euclidean distance of the vectors' directions.

    Equal input gives equal labels, whatever computed the products, in however many
    threads. Takes of the order of n**2 d operations and n (d + min_samples) memory. The
    first call on a machine with more rows than `all_pairs.FEW` waits a second or two for
    numba.

    Args:
        vectors: (n, d) of any float type; they are brought to length 1.
        min_cluster_size: Fewer rows do not make a cluster; at least 2.
        min_samples: Which neighbour's distance is a row's core distance; at least 1.
        method: Which clusters of the tree to select: "eom" for excess of mass, "leaf"
            for the smallest.
        single: Let all rows be one cluster, which is never selected otherwise, without
            those that join it above this distance.

    Raises:
        ValueError: min_cluster_size or min_samples is too small.
    """
    if min_cluster_size < 2 or min_samples < 1:
        raise ValueError("min_cluster_size is at least 2 and min_samples at least 1")
    rows = sort_out(vectors)
    linkage = single_linkage(_spanning_tree(rows, min_samples))
    noise = np.full(len(vectors), -1)
    tree = Clustering(noise, rows.usable, rows.unusable, linkage)
    return reselect(tree, min_cluster_size, method, single)


def _spanning_tree(rows: Rows, min_samples: int) -> NDArray[np.float64]:
    if 2 <= len(rows.usable) <= all_pairs.FEW:
        core = all_pairs.core_distances(rows, min_samples)
        return all_pairs.spanning_tree(rows, core)
    from dtst_flow.cluster.hdbscan import mst  # it imports numba

    return mst.minimum_spanning_tree(rows, min_samples)


def reselect(
    clustering: Clustering,
    min_cluster_size: int,
    method: str = "eom",
    single: float | None = None,
) -> Clustering:
    """Select clusters again from the tree of a clustering, as `cluster` would."""
    labels = np.full(len(clustering.labels), -1)
    if len(clustering.usable) >= min_cluster_size:
        labels[clustering.usable] = select(
            clustering.linkage, min_cluster_size, method, single
        )
    return replace(clustering, labels=labels)
