"""What became of clusters from one run to the next: ids that survive, and differences."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.components import components
from dtst_flow.utils.files import NotRegular, digest_value, read_json

Members = dict[str, str]
"""Image of a cluster -> digest of its content, by which a renamed image is known."""

NOISE, REJECTED = "", "rejected"
"""In place of the id of a cluster."""

NO_CLUSTER = frozenset({NOISE, REJECTED})

SHARE = 0.1
"""The least part of a cluster that counts when it is split or merged."""


def read(path: str | Path) -> dict[str, Members]:
    """The state of a bucket in a file, id -> members; {} where there is none."""
    try:
        state = read_json(path)
    except (FileNotFoundError, NotRegular, RecursionError, ValueError):
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
    """For each cluster, the cluster in which each of its images was; None for a new one.

    Args:
        before: Id -> members.
        now: The members of each cluster.
    """
    by_path = {path: id_ for id_, members in before.items() for path in members}
    by_digest = {d: id_ for id_, members in before.items() for d in members.values()}
    return [
        {path: by_path.get(path, by_digest.get(d)) for path, d in members.items()}
        for members in now
    ]


def carry_over(before: dict[str, Members], now: Sequence[Members]) -> list[str]:
    """Give each cluster the id of the cluster it was, and a new id where it was none.

    The ids are assigned so that the greatest number of images keep theirs (an assignment
    problem; Kuhn 1955), separately in every group of clusters that share images.

    A new id is made from the cluster's own images: a run from nothing gives the same.

    Args:
        before: Id -> members, without the noise.
        now: The members of each cluster.
    """
    names = list(before)
    place = {id_: i for i, id_ in enumerate(names)}
    shared = [
        (cluster, place[id_], count)
        for cluster, members in enumerate(origins(before, now))
        for id_, count in sorted(Counter(filter(None, members.values())).items())
    ]
    ids: dict[int, str] = {}
    for rows, columns, overlap in _components(shared, len(now), len(names)):
        for row, column in _assigned(overlap):
            if overlap[row, column]:
                ids[int(rows[row])] = names[columns[column]]
    taken = set(before)
    for cluster, members in enumerate(now):
        if cluster not in ids:
            ids[cluster] = _new_id(members, taken)
            taken.add(ids[cluster])
    return [ids[cluster] for cluster in range(len(now))]


def _components(
    shared: list[tuple[int, int, int]], clusters: int, ids: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]]:
    """Split clusters and ids into groups that share images.

    Args:
        shared: Cluster, id, how many images they share.
        clusters: How many clusters there are.
        ids: How many ids there are.

    Yields:
        (r,) clusters, (c,) ids, and (r, c), how many images they share.
    """
    if not shared:
        return
    i, j, count = np.array(shared).T
    group = components(clusters + ids, i, clusters + j)
    for which in np.unique(group[i]):
        edges = np.flatnonzero(group[i] == which)
        rows, columns = np.unique(i[edges]), np.unique(j[edges])
        overlap = np.zeros((len(rows), len(columns)))
        at = np.searchsorted(rows, i[edges]), np.searchsorted(columns, j[edges])
        overlap[at] = count[edges]
        yield rows, columns, overlap


def _assigned(overlap: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """The rows and columns, one to one, that share most, of (r, c)."""
    if 1 in overlap.shape:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        yield int(row), int(column)
        return
    from scipy.optimize import linear_sum_assignment  # half a second

    yield from zip(*linear_sum_assignment(-overlap), strict=True)


def _new_id(members: Members, taken: set[str]) -> str:
    first = min(members.values())
    attempt = 0
    while (id_ := digest_value([first, attempt])[:8]) in taken:
        attempt += 1
    return id_


@dataclass(frozen=True)
class Changes:
    """What changed between two runs; clusters by their ids, or one of NO_CLUSTER.

    Attributes:
        born: Clusters that are new.
        died: Clusters that are gone.
        split: Old id -> the clusters that it went to.
        merged: New id -> the clusters that it came from.
        sizes: Id -> how many images before and now, where that changed.
        moved: (image, its cluster before, its cluster now), by image.
        added: Images that are new.
        removed: Images that are gone.
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
    came_from = origins(before, list(now.values()))
    steps = [
        (path, was, id_)
        for id_, members in zip(now, came_from, strict=True)
        for path, was in members.items()
    ]
    flow = Counter((was, id_) for _, was, id_ in steps if was is not None)
    sizes_before = {id_: len(members) for id_, members in before.items()}
    split, merged = _splits(flow, sizes_before)
    old, new = before.keys() - NO_CLUSTER, now.keys() - NO_CLUSTER
    return Changes(
        born=sorted(new - old),
        died=sorted(old - new),
        split=split,
        merged=merged,
        sizes={
            id_: (sizes_before[id_], len(now[id_]))
            for id_ in sorted(old & new)
            if sizes_before[id_] != len(now[id_])
        },
        moved=sorted(
            (path, was, id_)
            for path, was, id_ in steps
            if was is not None and was != id_
        ),
        added=sorted(path for path, was, _ in steps if was is None),
        removed=_removed(before, now),
    )


def _splits(
    flow: Mapping[tuple[str, str], int], sizes: Mapping[str, int]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The clusters that were split or merged, as `Changes` has them.

    Args:
        flow: (cluster before, cluster now) -> how many images.
        sizes: Cluster before -> how many images.
    """
    targets, sources = defaultdict(list), defaultdict(list)
    for (was, id_), count in sorted(flow.items()):
        if not NO_CLUSTER & {was, id_} and count >= SHARE * sizes[was]:
            targets[was].append(id_)
            sources[id_].append(was)
    return (
        {was: ids for was, ids in targets.items() if len(ids) > 1},
        {id_: ids for id_, ids in sources.items() if len(ids) > 1},
    )


def _removed(before: dict[str, Members], now: dict[str, Members]) -> list[str]:
    """The images whose path and content are both gone."""
    paths = {path for members in now.values() for path in members}
    digests = {d for members in now.values() for d in members.values()}
    return sorted(
        path
        for members in before.values()
        for path, d in members.items()
        if path not in paths and d not in digests
    )
