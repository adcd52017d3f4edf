"""Groups: clusters in order of size, each with its medoid."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster import hdbscan
from dtst_flow.cluster.constraints import expel, merge, split
from dtst_flow.cluster.duplicates import Sets, members
from dtst_flow.cluster.join import join
from dtst_flow.cluster.max_distance import admit, split_far
from dtst_flow.cluster.meaning import Constraints
from dtst_flow.cluster.people import People, attract, names_of
from dtst_flow.cluster.photos import Evidence
from dtst_flow.cluster.photos import split as apart
from dtst_flow.cluster.small import distinct


@dataclass(frozen=True)
class Settings:
    """What decides which rows make a cluster.

    Attributes:
        min_cluster_size: Fewer rows do not make a cluster; at least 2.
        min_samples: Which neighbour's distance makes a place dense, HDBSCAN's k; at least
            1, and `default_min_samples` is a good one.
        same: Cosine distance within which two images show the same thing. With it,
            images of one single identity, in which HDBSCAN sees no cluster, make one.
        max_distance: Cosine distance above which parts of a cluster are separated, None
            for no limit.
        near: Mean cosine distance within which two clusters are one, None to join none.
        alike: Cosine distance within which two images are the same picture, or nearly.
    """

    min_cluster_size: int
    min_samples: int
    same: float | None = None
    max_distance: float | None = None
    near: float | None = None
    alike: float | None = None


def default_min_samples(min_cluster_size: int, faces: bool = True) -> int:
    """Return HDBSCAN's k for clusters of so many images.

    A pair of faces is dense by its one distance, everything else by the distance to the
    second neighbour: that of the first joins strangers in chains. Of 683 recognisable
    faces of 524 portraits (arcface) 4 were in a cluster of somebody else's with 1 and none
    with 2, where clusters had 3 images or more. Kinds of things, which are not as distinct
    as people, fall into pieces with 1.
    """
    return min(2, min_cluster_size - 1) if faces else 2


@dataclass(frozen=True)
class Group:
    """One cluster.

    Attributes:
        members: (m,) int, rows of the embeddings, nearest to the medoid first.
        distances: (m,) float64, their cosine distances to the medoid, members[0].
        name: The known person that it shows, if any.
    """

    members: NDArray[np.intp]
    distances: NDArray[np.float64]
    name: str | None = None


@dataclass(frozen=True)
class Grouping:
    """What became of n rows.

    Attributes:
        groups: The largest first.
        noise: (k,) int, rows that are in no group.
        unusable: (u,) int, rows that could not be compared: zero or not finite; they are
            among the noise.
        refused: Pairs that were to be linked and could not be.
    """

    groups: list[Group]
    noise: NDArray[np.intp]
    unusable: NDArray[np.intp]
    refused: list[tuple[int, int]] = field(default_factory=list)


def group(
    vectors: NDArray[np.float32],
    settings: Settings,
    sets: Sets | None = None,
    constraints: Constraints | None = None,
    photos: NDArray[np.intp] | None = None,
    people: People | None = None,
) -> Grouping:
    """Cluster unit vectors; equal input gives equal output, ties go by row number.

    Args:
        vectors: (n, d), rows of length 1.
        settings: What decides which rows make a cluster.
        sets: Near-duplicates, which are to count once.
        constraints: What the user knows better.
        photos: (n,), the photo that a row is a face of, -1 where that is not known; None
            where rows are no faces.
        people: The faces of people whom the user knows.
    """
    constraints, people = constraints or Constraints(), people or People()
    rows = np.arange(len(vectors))
    sets = sets or Sets(rows, rows)
    clustering, clusters = _cluster(vectors[sets.chosen], settings)
    clusters = _with_duplicates(clusters, sets)
    # From here on known faces are rows like all others, below them.
    known, every = people.rows(len(rows)), people.below(vectors)
    if known and settings.near is not None and settings.same is not None:
        reach = min(settings.same, settings.near)
        clusters = attract(every, clusters, known, _rest(rows, clusters), reach)
    if photos is not None:
        of = np.concatenate([photos, np.full(len(people.names), -1)])
        clusters = _one_face_a_photo(every, clusters, of, settings)
    alone = [*constraints.alone, *_strangers(constraints, known)]
    clusters = split(every, clusters, constraints.cannot)
    clusters = [
        members
        for members, name in zip(clusters, names_of(clusters, known), strict=True)
        if name or np.sum(members < len(rows)) >= settings.min_cluster_size
    ]
    # Not before: what somebody is taken out of remains, however small.
    clusters = expel(clusters, alone)
    clusters, refused = merge(clusters, constraints.must, [*constraints.cannot, *alone])
    names = names_of(clusters, known)
    clusters = [members[members < len(rows)] for members in clusters]
    unusable = np.flatnonzero(np.isin(sets.of, clustering.unusable))
    groups = _groups(vectors, clusters, names)
    return Grouping(groups, _rest(rows, clusters), unusable, refused)


def _strangers(
    constraints: Constraints, people: dict[str, NDArray[np.intp]]
) -> Iterator[tuple[int, int]]:
    """Yield the rows that do not show a known person, each with the person's faces."""
    for row, name in constraints.unlike:
        for face in people.get(name, np.empty(0, np.intp)).tolist():
            yield row, face


def _rest(rows: NDArray[np.intp], clusters: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    """The rows that are in no cluster."""
    return np.setdiff1d(rows, np.concatenate(clusters) if clusters else [])


def _cluster(
    vectors: NDArray[np.float32], settings: Settings
) -> tuple[hdbscan.Clustering, list[NDArray[np.intp]]]:
    """HDBSCAN's clustering, and the clusters that are made of it."""
    size = settings.min_cluster_size
    clustering = hdbscan.cluster(vectors, size, settings.min_samples)
    clusters = clustering.clusters
    if not clusters and settings.same is not None:
        return clustering, _single(vectors, clustering, size, settings.same)
    if settings.max_distance is not None:
        clusters = split_far(vectors, clustering, settings.max_distance, size)
    if settings.near is not None:
        clusters = join(vectors, clusters, settings.near)
    if settings.min_samples == 1:
        clusters = distinct(clusters, clustering)
    if clusters and settings.same is not None and settings.near is not None:
        noise = np.setdiff1d(clustering.usable, np.concatenate(clusters))
        reach = min(settings.same, settings.near)
        clusters = admit(vectors, clusters, noise, reach)
    return clustering, clusters


def _with_duplicates(
    clusters: list[NDArray[np.intp]], sets: Sets
) -> list[NDArray[np.intp]]:
    """The rows of clusters of sets."""
    labels = np.zeros(len(sets.chosen), np.intp)
    for label, chosen in enumerate(clusters, 1):
        labels[chosen] = label
    return members(labels[sets.of])[1:]


def _one_face_a_photo(
    vectors: NDArray[np.float32],
    clusters: list[NDArray[np.intp]],
    photos: NDArray[np.intp],
    settings: Settings,
) -> list[NDArray[np.intp]]:
    """Separate faces of one photo, except where `settings` knows evidence."""
    alike, same, near = settings.alike, settings.same, settings.near
    if alike is None or same is None or near is None:
        return clusters
    return apart(vectors, clusters, photos, Evidence(alike, same, near))


def _single(
    vectors: NDArray[np.float32],
    clustering: hdbscan.Clustering,
    min_cluster_size: int,
    same: float,
) -> list[NDArray[np.intp]]:
    """The one cluster of images of one single identity, if that is what they are."""
    reach = float(np.sqrt(2 * same))  # as a euclidean distance of unit vectors
    single = hdbscan.reselect(clustering, min_cluster_size, single=reach)
    if len(single.clusters) != 1:
        return []
    (rows,) = single.clusters
    distances = _around_medoid(vectors, rows).distances
    return [rows] if np.median(distances) <= same else []


def _groups(
    vectors: NDArray[np.float32],
    clusters: list[NDArray[np.intp]],
    names: list[str | None],
) -> list[Group]:
    groups = [
        replace(_around_medoid(vectors, rows), name=name)
        for rows, name in zip(clusters, names, strict=True)
        if len(rows)
    ]
    return sorted(groups, key=lambda g: (-len(g.members), g.members[0]))


def _around_medoid(vectors: NDArray[np.float32], members: NDArray[np.intp]) -> Group:
    """Order members by distance to the medoid, the one nearest to all the others.

    For unit vectors the mean cosine distance to all is one product with their sum.
    """
    rows = vectors[members].astype(np.float64)
    medoid = np.argmax((rows @ rows.sum(axis=0)).round(9))
    distances = np.maximum(0.0, 1.0 - rows @ rows[medoid])
    distances[medoid] = 0.0
    # The medoid comes before even its exact duplicates.
    order = np.lexsort((members, np.arange(len(members)) != medoid, distances.round(9)))
    return Group(members[order], distances[order])
