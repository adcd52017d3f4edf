"""What a run changed, image by image."""

from typing import Any

from dtst_flow.review.clustering import NOISE, REJECTED, Clustering

MOST = 2000
"""Most images of each kind that are told."""


def changes(before: Clustering, now: Clustering) -> dict[str, Any]:
    """Compare two clusterings; clusters are known by their ids, images by their paths.

    Args:
        before: That of the run before.
        now: That of the last run, whose numbers images bear.
    """
    moved, new = [], []
    for n, path in enumerate(now.paths):
        was = before.number(path)
        if was is None:
            new.append({"n": n, "to": _label(now, n)})
        elif before.home(was) != now.home(n):
            moved.append({"n": n, "from": _label(before, was), "to": _label(now, n)})
    gone = [
        {"path": path, "from": _label(before, n)}
        for n, path in enumerate(before.paths)
        if now.number(path) is None
    ]
    return {
        "from": before.digest,
        "to": now.digest,
        "counts": {"moved": len(moved), "new": len(new), "gone": len(gone)},
        "moved": moved[:MOST],
        "new": new[:MOST],
        "gone": gone[:MOST],
    }


def _label(clustering: Clustering, n: int) -> str:
    cluster = clustering.cluster_of(n)
    if cluster is not None:
        return cluster.label
    return NOISE if n < clustering.rejected else REJECTED
