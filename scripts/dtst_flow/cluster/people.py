"""Known people: their faces draw clusters and noise to them, and name what they hold."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.components import components
from dtst_flow.cluster.max_distance import admit


@dataclass(frozen=True)
class People:
    """Faces of which the user knows whose they are; they are in no cluster themselves.

    Attributes:
        names: The person of each face.
        vectors: (k, d) float32, the faces, rows of length 1; None without any.
    """

    names: list[str] = field(default_factory=list)
    vectors: NDArray[np.float32] | None = None

    def below(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The faces below the vectors of images (n, d): (n + k, d)."""
        if self.vectors is None or not len(self.vectors):
            return vectors
        return np.concatenate([vectors, self.vectors])

    def rows(self, images: int) -> dict[str, NDArray[np.intp]]:
        """Each person's rows in `below`, by name, given how many images there are."""
        numbers = np.array(self.names)
        return {
            name: images + np.flatnonzero(numbers == name)
            for name in sorted(set(self.names))
        }


def attract(
    vectors: NDArray[np.float32],
    clusters: list[NDArray[np.intp]],
    people: dict[str, NDArray[np.intp]],
    noise: NDArray[np.intp],
    reach: float,
) -> list[NDArray[np.intp]]:
    """Unite each person's faces with the clusters and the noise that show that person.

    A cluster goes to the person whose centre is nearest to its own, noise to the nearest
    centre of a person with these clusters. Of labelled portraits (arcface), 97 % of the
    clusters of 5 faces and more are within 0.5 of a single known face of theirs, 99 % of
    that of two, and none of somebody else is within 0.62.

    Args:
        vectors: (n, d), rows of length 1.
        clusters: The rows of each cluster.
        people: Each person's known faces, rows as well; at least one person.
        noise: The rows of no cluster, without known faces.
        reach: The largest cosine distance to a person's centre.

    Returns:
        The rows of each person, in their order, and of each cluster that is nobody's.
    """
    centres = np.stack([_centre(vectors, rows) for rows in people.values()])
    united = [[rows] for rows in people.values()]
    others = []
    for rows in clusters:
        distances = (1 - centres @ _centre(vectors, rows)).round(9)
        nearest = int(distances.argmin())
        if distances[nearest] <= reach:
            united[nearest].append(rows)
        else:
            others.append(rows)
    persons = [np.sort(np.concatenate(parts)) for parts in united]
    return admit(vectors, persons, noise, reach) + others


def agreeing(
    names: list[str], vectors: NDArray[np.float32], reach: float
) -> NDArray[np.bool_]:
    """Tell which known faces may be taken for the person's they are said to be.

    In a photo of several people the largest face may be another's. Of a person's faces
    those count that most others are like, chain by chain; of as many, the first.

    Args:
        names: The person of each face.
        vectors: (k, d), the faces, rows of length 1.
        reach: Cosine distance within which two faces are alike.

    Returns:
        (k,), whether a face counts.
    """
    counts = np.zeros(len(names), bool)
    numbers = np.array(names)
    for name in set(names):
        rows = np.flatnonzero(numbers == name)
        faces = vectors[rows].astype(np.float64)
        alike = (1 - faces @ faces.T).round(9) <= reach
        chain = components(len(rows), *np.nonzero(alike))
        counts[rows] = chain == np.bincount(chain).argmax()
    return counts


def names_of(
    clusters: list[NDArray[np.intp]], people: dict[str, NDArray[np.intp]]
) -> list[str | None]:
    """Name clusters after the people in them.

    Args:
        clusters: The rows of each cluster.
        people: Each person's known faces.

    Returns:
        A name for each cluster, None for those of nobody known. A person names one
        cluster, that with most of the person's known faces.
    """
    owner = {row: name for name, rows in people.items() for row in rows.tolist()}
    places: dict[str, Counter[int]] = {name: Counter() for name in people}
    for place, rows in enumerate(clusters):
        for row in rows.tolist():
            if row in owner:
                places[owner[row]][place] += 1
    names: list[str | None] = [None] * len(clusters)
    for name, counts in places.items():
        if counts:
            (place, _), *_ = counts.most_common(1)
            names[place] = names[place] or name
    return names


def _centre(
    vectors: NDArray[np.float32], rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The direction of the mean of some rows, (d,)."""
    total: NDArray[np.float64] = vectors[rows].sum(axis=0, dtype=np.float64)
    return total / np.linalg.norm(total)
