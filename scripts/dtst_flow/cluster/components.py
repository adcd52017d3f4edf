"""The connected components of a graph, without scipy.

Its import takes half a second, which is most of what the clustering of a small dataset
costs.
"""

import numpy as np
from numpy.typing import NDArray


def components(
    n: int, i: NDArray[np.integer], j: NDArray[np.integer]
) -> NDArray[np.intp]:
    """Find what hangs together.

    Each round joins components that an edge connects and shortens all ways to their first
    nodes (Shiloach & Vishkin 1982).

    Args:
        n: How many nodes there are.
        i: (e,), the node at one end of each edge.
        j: (e,), the node at the other end.

    Returns:
        (n,), the component of each node: the lowest node in it.
    """
    first = np.arange(n)
    while True:
        low, high = np.sort([first[i], first[j]], axis=0)
        if (low == high).all():
            return first
        np.minimum.at(first, high, low)
        first = roots(first)


def roots(above: NDArray[np.intp]) -> NDArray[np.intp]:
    """Follow all ways upwards at once, doubling their steps.

    Args:
        above: (n,), the node above each node; a root is above itself.

    Returns:
        (n,), the root above each node.
    """
    while (above != (further := above[above])).any():
        above = further
    return above
