"""What became of clusters from one run to the next: ids that survive, and differences."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dtst_flow.utils.files import digest_value, read_json

Members = dict[str, str]
"""Image of a cluster -> digest of its content. An image that was renamed is known by that."""

NOISE = ""
"""In place of the id of a cluster."""

SHARE = 0.1
"""Of a cluster, the least part that counts when it is split or merged."""


def read(path: str | Path) -> dict[str, Members]:
    """The state of a bucket in a file, id -> members; {} where it holds none."""
    try:
        state = read_json(path)
    except (FileNotFoundError, RecursionError, ValueError):
        return {}
    whole = isinstance(state, dict) and all(map(_is_members, state.values()))
    return state if whole else {}


def _is_members(members: object) -> bool:
    return isinstance(members, dict) and all(
        isinstance(digest, str) for digest in members.values()
    )


def origins(
    before: dict[str, Members], now: Sequence[Members]
) -> list[dict[str, str | None]]:
    """Tell of every image of each cluster in which it was; None for a new one."""
    by_path = {path: id_ for id_, members in before.items() for path in members}
    by_digest = {d: id_ for id_, members in before.items() for d in members.values()}
    return [
        {path: by_path.get(path, by_digest.get(d)) for path, d in members.items()}
        for members in now
    ]


def carry_over(before: dict[str, Members], now: Sequence[Members]) -> list[str]:
    """Give each cluster the id of the one it was, and a new id where it was none.

    Which is which is decided by the greatest number of images that keep their id (an
    assignment problem; Kuhn 1955), in every group of clusters that share images by
    itself.

    before  id -> members, noise not among them
    now     the members of each cluster

    A new id is made from the cluster's own images: a run from nothing gives the same.
    """
    names = list(before)
    place = {id_: i for i, id_ in enumerate(names)}
    came = origins(before, now)
    shared = [
        (cluster, place[id_], count)
        for cluster, members in enumerate(came)
        for id_, count in sorted(Counter(filter(None, members.values())).items())
    ]
    ids: list[str | None] = [None] * len(now)
    for rows, columns, overlap in _components(shared, len(now), len(names)):
        for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[row, column]:
                ids[rows[row]] = names[columns[column]]
    taken = set(before)
    for cluster, members in enumerate(now):
        if ids[cluster] is None:
            ids[cluster] = _new_id(members, taken)
            taken.add(ids[cluster])
    return ids


def _components(shared: list[tuple[int, int, int]], clusters: int, ids: int):
    """Yield the groups of clusters and ids that share images: rows, columns, counts."""
    if not shared:
        return
    i, j, count = np.array(shared).T
    size = clusters + ids
    graph = coo_array((count, (i, clusters + j)), shape=(size, size))
    _, group = connected_components(graph, directed=False)
    for which in np.unique(group[i]):
        edges = np.flatnonzero(group[i] == which)
        rows, columns = np.unique(i[edges]), np.unique(j[edges])
        overlap = np.zeros((len(rows), len(columns)))
        at = np.searchsorted(rows, i[edges]), np.searchsorted(columns, j[edges])
        overlap[at] = count[edges]
        yield rows, columns, overlap


def _new_id(members: Members, taken: set[str]) -> str:
    first = min(members.values())
    attempt = 0
    while (id_ := digest_value([first, attempt])[:8]) in taken:
        attempt += 1
    return id_


@dataclass(frozen=True)
class Changes:
    """What changed between two runs; clusters by their ids, NOISE for noise.

    born, died     clusters that came and went
    split, merged  old id -> the clusters that it went to; new id -> those it came from
    sizes          id -> how many images before and now, where that changed
    moved          (image, its cluster before, its cluster now), by image
    added, removed  images
    """

    born: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    split: dict[str, list[str]] = field(default_factory=dict)
    merged: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def compare(before: dict[str, Members], now: dict[str, Members]) -> Changes:
    """Compare two states of a bucket, id -> members, noise among them."""
    changes = Changes()
    came = dict(zip(now, origins(before, list(now.values())), strict=True))
    flow: Counter[tuple[str, str]] = Counter()
    for id_, members in came.items():
        for path, was in members.items():
            if was is None:
                changes.added.append(path)
                continue
            flow[was, id_] += 1
            if was != id_:
                changes.moved.append((path, was, id_))
    kept = {d for members in now.values() for d in members.values()}
    paths = {path for members in now.values() for path in members}
    changes.removed.extend(
        path
        for members in before.values()
        for path, d in members.items()
        if path not in paths and d not in kept
    )
    old, new = before.keys() - {NOISE}, now.keys() - {NOISE}
    changes.born.extend(sorted(new - old))
    changes.died.extend(sorted(old - new))
    to, of = defaultdict(list), defaultdict(list)
    for (was, id_), count in sorted(flow.items()):
        if NOISE not in (was, id_) and count >= SHARE * len(before[was]):
            to[was].append(id_)
            of[id_].append(was)
    changes.split.update({was: ids for was, ids in to.items() if len(ids) > 1})
    changes.merged.update({id_: ids for id_, ids in of.items() if len(ids) > 1})
    changes.sizes.update(
        {
            id_: (len(before[id_]), len(now[id_]))
            for id_ in sorted(old & new)
            if len(before[id_]) != len(now[id_])
        }
    )
    for listed in (changes.moved, changes.added, changes.removed):
        listed.sort()
    return changes
