"""Groups: clusters in order of size, each with its medoid."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from dtst_flow.cluster import hdbscan
from dtst_flow.cluster.constraints import Constraints, merge, split
from dtst_flow.cluster.duplicates import Sets
from dtst_flow.cluster.max_distance import split_far


@dataclass(frozen=True)
class Group:
    """One cluster.

    members    (m,) int, rows of the embeddings, nearest to the medoid first
    distances  (m,) float64, their cosine distances to the medoid; members[0] is it
    """

    members: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class Grouping:
    """What became of n rows.

    groups    the largest first
    noise     (k,) int, rows that are in none
    unusable  rows that could not be compared: zero or not finite; among the noise
    refused   pairs that were to be linked and could not
    """

    groups: list[Group]
    noise: np.ndarray
    unusable: np.ndarray
    refused: list[tuple[int, int]] = field(default_factory=list)


def group(
    vectors: np.ndarray,
    min_cluster_size: int,
    min_samples: int,
    same: float | None = None,
    max_distance: float | None = None,
    sets: Sets | None = None,
    constraints: Constraints | None = None,
) -> Grouping:
    """Cluster unit vectors; equal input gives equal output, ties go by row number.

    vectors       (n, d) float32, rows of length 1
    same          cosine distance within which two images show the same thing; with it,
                  images of one single identity, in which HDBSCAN sees no cluster, make
                  one
    max_distance  cosine distance above which parts of a cluster are taken apart
    sets          near-duplicates, which are to count once
    constraints   what the user knows better
    """
    constraints = constraints or Constraints()
    every = np.arange(len(vectors))
    sets = sets or Sets(every, every)
    kept = vectors[sets.chosen]
    found = hdbscan.cluster(kept, min_cluster_size, min_samples)
    clusters = found.clusters
    if max_distance is not None:
        clusters = split_far(kept, found, max_distance, min_cluster_size)
    if not found.clusters and same is not None:
        clusters = _single(kept, found, min_cluster_size, same)
    clusters = [np.flatnonzero(np.isin(sets.of, rows)) for rows in clusters]
    clusters = split(vectors, clusters, constraints.cannot, min_cluster_size)
    clusters, refused = merge(clusters, constraints.must, constraints.cannot)
    groups = _groups(vectors, clusters)
    grouped = np.concatenate([g.members for g in groups]) if groups else []
    noise = np.setdiff1d(np.arange(len(vectors)), grouped)
    unusable = np.flatnonzero(np.isin(sets.of, found.unusable))
    return Grouping(groups, noise, unusable, refused)


def _single(
    vectors: np.ndarray,
    found: hdbscan.Clustering,
    min_cluster_size: int,
    same: float,
) -> list[np.ndarray]:
    """The one cluster of images of one single identity, if that is what they are."""
    reach = float(np.sqrt(2 * same))  # as a euclidean distance of unit vectors
    clusters = hdbscan.reselect(found, min_cluster_size, single=reach).clusters
    if len(clusters) != 1:
        return []
    (rows,) = clusters
    distances = _around_medoid(vectors, rows).distances
    return [rows] if np.median(distances) <= same else []


def _groups(vectors: np.ndarray, clusters: Iterable[np.ndarray]) -> list[Group]:
    groups = [_around_medoid(vectors, rows) for rows in clusters]
    return sorted(groups, key=lambda g: (-len(g.members), g.members[0]))


def _around_medoid(vectors: np.ndarray, members: np.ndarray) -> Group:
    """Order members by distance to the medoid, the one nearest to all the others.

    For unit vectors the mean cosine distance to all is one product with their sum.
    """
    rows = vectors[members].astype(np.float64)
    medoid = np.argmax((rows @ rows.sum(axis=0)).round(9))
    distances = np.maximum(0.0, 1.0 - rows @ rows[medoid])
    distances[medoid] = 0.0
    # The medoid leads even its exact duplicates.
    order = np.lexsort((members, np.arange(len(members)) != medoid, distances.round(9)))
    return Group(members[order], distances[order])
