"""HDBSCAN of unit vectors: exact, at about the cost of multiplying them by each other.

Campello, Moulavi & Sander 2013, Density-Based Clustering Based on Hierarchical Density
Estimates. The labels are those of ``hdbscan.HDBSCAN(algorithm="prims_kdtree")``, which
is what that package does by default above 60 dimensions, ties and all.

A product of float32 matrices gives all distances within a known error. That is enough to
rule out almost all pairs, and only the few that are left are measured exactly:

rows        what can be compared; equal rows are folded into one
products    products of blocks of rows, on a GPU where there is one, and their error
neighbours  the nearest neighbours of each row; its core distance
spanning    the minimum spanning tree of the edges that are known
sweep       a second round of products, for the edges that are not
prim        the order in which hdbscan would have found the edges
mst         all of these in turn
tree        single linkage, and hdbscan's own selection of clusters
"""

from dataclasses import dataclass, replace

import numpy as np

from dtst_flow.cluster.hdbscan.mst import minimum_spanning_tree
from dtst_flow.cluster.hdbscan.rows import sort_out
from dtst_flow.cluster.hdbscan.tree import select, single_linkage


@dataclass(frozen=True)
class Clustering:
    """What was found in n vectors.

    labels    (n,) int, -1 for noise
    usable    (m,) int, the rows that could be compared
    unusable  (n - m,) int, the others, which are noise: zero or not finite
    linkage   (m - 1, 4) float64, the single-linkage tree of the usable rows by mutual
              reachability distance, as in scipy.cluster.hierarchy: the two parts that
              join, below m a place in `usable`, otherwise m + the line of an earlier
              join; their distance; their size
    """

    labels: np.ndarray
    usable: np.ndarray
    unusable: np.ndarray
    linkage: np.ndarray

    @property
    def clusters(self) -> list[np.ndarray]:
        """The rows of each label, ascending."""
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(np.bincount(self.labels + 1))
        return np.split(order, ends[:-1])[1:]


def cluster(
    vectors: np.ndarray,
    min_cluster_size: int,
    min_samples: int,
    method: str = "eom",
    single: float | None = None,
) -> Clustering:
    """Cluster by the euclidean distance of the vectors' directions.

    vectors           (n, d) of any float type; brought to length 1
    min_cluster_size  fewer rows do not make a cluster; at least 2
    min_samples       which neighbour's distance is a row's core distance; at least 1
    method            which clusters of the tree to select: eom for excess of mass, leaf
                      for the smallest
    single            let all rows be one cluster, which is never found otherwise, less
                      those that join it above this distance

    Equal input gives equal labels, whatever computed the products, in however many
    threads. Of the order of n**2 d operations and n (d + min_samples) memory. The first
    call on a machine waits a second or two for numba.
    """
    if min_cluster_size < 2 or min_samples < 1:
        raise ValueError("min_cluster_size is at least 2 and min_samples at least 1")
    rows = sort_out(vectors)
    linkage = single_linkage(minimum_spanning_tree(rows, min_samples))
    noise = np.full(len(vectors), -1)
    tree = Clustering(noise, rows.usable, rows.unusable, linkage)
    return reselect(tree, min_cluster_size, method, single)


def reselect(
    found: Clustering,
    min_cluster_size: int,
    method: str = "eom",
    single: float | None = None,
) -> Clustering:
    """Select clusters anew from the tree of a clustering, as `cluster` would."""
    labels = np.full(len(found.labels), -1)
    if len(found.usable) >= min_cluster_size:
        labels[found.usable] = select(found.linkage, min_cluster_size, method, single)
    return replace(found, labels=labels)
