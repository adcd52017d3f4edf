"""What is near to what, and sets of images that are alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
"""Rows that are compared with all others at once."""

NEAREST = 6
"""Nearest clusters, or images in noise, that are known of each."""

MOST = 20_000
"""Most images in noise that are compared with each other: a quarter of a minute."""

TIGHT = 0.9
"""Of the reach of a clustering, how far images of a set are apart at most."""


@dataclass(frozen=True)
class Nearest:
    """What is nearest to each of m things, the nearest first; -1 and inf for none.

    Attributes:
        which: (m, NEAREST) int32.
        distances: (m, NEAREST) float32, cosine distances.
    """

    which: NDArray[np.int32]
    distances: NDArray[np.float32]


def nearest(
    rows: NDArray[np.float32], others: NDArray[np.float32], itself: bool = False
) -> Nearest:
    """Find what is nearest to each row; nothing is near to rows that are zero.

    Args:
        rows: (m, d), of length 1.
        others: (k, d), of length 1.
        itself: Whether both are the same, and a row is not near to itself.
    """
    count = min(NEAREST, len(others) - itself)
    nowhere = ~others.any(axis=1)
    which = np.full((len(rows), NEAREST), -1, np.int32)
    distances = np.full((len(rows), NEAREST), np.inf, np.float32)
    for start in range(0, len(rows) if count > 0 else 0, BLOCK):
        part = rows[start : start + BLOCK]
        far: NDArray[Any] = 1 - part @ others.T
        far[:, nowhere] = np.inf
        far[~part.any(axis=1)] = np.inf
        if itself:
            far[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        few = np.argpartition(far, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(far, few, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        at = slice(start, start + len(part))
        which[at, :count] = np.take_along_axis(few, order, axis=1)
        distances[at, :count] = np.take_along_axis(found, order, axis=1)
    which[np.isinf(distances)] = -1
    return Nearest(which, distances)


def reach(parameters: Mapping[str, Any], spreads: NDArray[np.floating]) -> float:
    """The cosine distance within which two images most often show the same.

    That of the clustering; of a model without one, what holds within its clusters: two
    members are about twice as far from each other as from their centre.

    Args:
        parameters: The parameters of the clustering.
        spreads: (k,), of each cluster the mean distance of its members to their centre.
    """
    given = parameters.get("max_distance")
    if given is not None:
        return float(given)
    return 2 * float(np.median(spreads)) if len(spreads) else 0.0


def sets(near: Nearest, reach: float) -> list[list[int]]:
    """Sets of rows, each of which is near to the first one; the largest sets first.

    Args:
        near: The nearest other rows of each row.
        reach: The distance within which two most often show the same.
    """
    close = near.distances <= TIGHT * reach
    taken: set[int] = set()
    found = []
    for i in np.argsort(-close.sum(axis=1), kind="stable").tolist():
        if i in taken:
            continue
        those = [int(j) for j in near.which[i][close[i]] if int(j) not in taken]
        if those:
            taken |= {i, *those}
            found.append([i, *those])
    return sorted(found, key=lambda numbers: -len(numbers))
