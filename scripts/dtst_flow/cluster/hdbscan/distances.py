"""Exact euclidean distances of chosen pairs."""

import numpy as np

from dtst_flow.cluster.hdbscan.compiled import compiled
from dtst_flow.cluster.hdbscan.threads import in_threads

CHUNK = 1 << 14
"""Pairs that a thread takes at once."""


def euclidean(vectors: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return (p,) float64, the distances of rows i and j, (p,) int both.

    Every bit is as in hdbscan and scikit-learn, which subtract in float64 and sum the
    squares from first to last: so equal distances are equal there and here.
    """
    found = np.empty(len(i))

    def measure(start: int) -> None:
        part = slice(start, start + CHUNK)
        _euclidean(vectors, i[part], j[part], found[part])

    if len(i) <= CHUNK:
        measure(0)
    else:
        for _ in in_threads(measure, range(0, len(i), CHUNK)):
            pass
    return found


def mutual_reachability(
    vectors: np.ndarray, core: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """Return (p,) float64, the largest of distance and both core distances."""
    return np.maximum(euclidean(vectors, i, j), np.maximum(core[i], core[j]))


@compiled
def _euclidean(vectors, i, j, found):
    for pair in range(len(i)):
        total = 0.0
        for k in range(vectors.shape[1]):
            difference = np.float64(vectors[i[pair], k]) - np.float64(
                vectors[j[pair], k]
            )
            total += difference * difference
        found[pair] = np.sqrt(total)
