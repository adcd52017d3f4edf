"""Faces of one photo: different people, unless there is strong evidence.

A collage or a mirror shows one person twice. So two faces of one photo stay together if
they are the same picture, or nearly; or if both are as close to the faces of other photos
as images of one person are, and not too far from each other either. Twins are neither.

Of 1,644 pairs of faces of one photo (labelled photos, photos of groups, of crowds and
pasted ones; arcface), 22 pairs of strangers are within the distance at which clusters hang
together, most of them blurred or in masks; the nearest, 0.43 apart, are twins. Collages of
one person have their faces 0.39 to 0.51 apart, but 0.22 to 0.45 from the centre of the
person's other photos, where no other face of the same photo comes within 0.69.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_LENGTH = 1e-9
"""Vectors that add up to less have no direction."""


@dataclass(frozen=True)
class Evidence:
    """Cosine distances within which two faces of one photo are of one person.

    Attributes:
        alike: The two, if nothing else speaks for it.
        same: Each of the two, to the centre of the other photos' faces; then
        near: is enough for the two.
    """

    alike: float
    same: float
    near: float


def split(
    vectors: NDArray[np.float32],
    clusters: Iterable[NDArray[np.intp]],
    photos: NDArray[np.intp],
    evidence: Evidence,
) -> list[NDArray[np.intp]]:
    """Split clusters that hold faces of one photo without evidence that they are one person.

    Of these faces the one nearest to the cluster stays, with those for which there is
    evidence. The others leave it, and every row goes with the nearest of them. Takes
    photos in their order, and time of the order of n d, and as much again as a cluster
    has rows for each photo that splits it.

    Args:
        vectors: (n, d), rows of length 1.
        clusters: The rows of each cluster, ascending.
        photos: (n,), the photo that a row is a face of; -1 where that is not known.
        evidence: What keeps faces together.

    Returns:
        The rows of each part, ascending.
    """
    parts = []
    for rows in clusters:
        labels = _labels(vectors[rows].astype(np.float64), photos[rows], evidence)
        parts += [rows[labels == label] for label in range(labels.max() + 1)]
    return parts


def _labels(
    vectors: NDArray[np.float64], photos: NDArray[np.intp], evidence: Evidence
) -> NDArray[np.intp]:
    """The part of a cluster that each of its rows is in, (m,)."""
    labels = np.zeros(len(vectors), np.intp)
    sums, sizes = [vectors.sum(axis=0)], [len(vectors)]
    for places in _of_one_photo(photos):
        for label in np.unique(labels[places]).tolist():
            here = places[labels[places] == label]
            found = _strangers(vectors[here], sums[label], sizes[label], evidence)
            if len(found) < 2:
                continue
            faces = here[found]
            part = np.flatnonzero(labels == label)
            products = vectors[part] @ vectors[faces].T
            nearest = products.round(9).argmax(axis=1)
            nearest[np.isin(part, here)] = 0
            nearest[np.searchsorted(part, faces)] = np.arange(len(faces))
            for stranger in range(1, len(faces)):
                leaving = part[nearest == stranger]
                labels[leaving] = len(sums)
                sums.append(vectors[leaving].sum(axis=0))
                sizes.append(len(leaving))
                sums[label] = sums[label] - sums[-1]
                sizes[label] -= len(leaving)
    return labels


def _of_one_photo(photos: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield the places of each photo that has several, ascending."""
    order = np.argsort(photos, kind="stable")
    starts = np.flatnonzero(np.diff(photos[order], prepend=-2))
    for places in np.split(order, starts[1:]):
        if len(places) > 1 and photos[places[0]] >= 0:
            yield places


def _strangers(
    faces: NDArray[np.float64],
    total: NDArray[np.float64],
    size: int,
    evidence: Evidence,
) -> list[int]:
    """The face of a photo that a cluster keeps, and then those that have to leave.

    Args:
        faces: (f, d), the photo's faces in the cluster.
        total: (d,), the sum of all rows of the cluster.
        size: How many rows that are.
        evidence: What keeps faces together.
    """
    own = faces.sum(axis=0)
    others = total - own if size > len(faces) else None
    centre = own if others is None else others
    length = max(float(np.linalg.norm(centre)), NO_LENGTH)
    apart = (1 - faces @ centre / length).round(9)
    kept = int(apart.argmin())
    from_kept = (1 - faces @ faces[kept]).round(9)
    known = from_kept <= evidence.alike
    if others is not None:
        known |= (apart <= evidence.same) & (from_kept <= evidence.near)
    known[kept] = True
    return [kept, *np.flatnonzero(~known).tolist()]
