"""Known clusters: what ``clusters.json`` tells of the clusters in its folder."""

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dtst_flow.dataset.cluster_list import FILE
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.entries import Stat, stat_of
from dtst_flow.utils.files import GARBAGE, read_json


@dataclass(frozen=True)
class Cluster:
    """A cluster.

    Attributes:
        id: It stays from run to run.
        name: The user's for it, None without one.
        rank: Its place by size, from 0 on.
        folder: The folder that it is laid out in, None without one.
        images: The digest of each image's content, None where it is not told, by the
            image's path; the best first.
    """

    id: str
    name: str | None
    rank: int
    folder: str | None
    images: dict[str, str | None]

    @property
    def spelled(self) -> str:
        """What a user knows it by: folder, name and id."""
        folder, name = self.folder or "", self.name or ""
        words = [folder, *([] if name in folder else [name]), f"({self.id})"]
        return " ".join(filter(None, words))


@dataclass(frozen=True)
class KnownClusters:
    """The clusters of a folder.

    Attributes:
        clusters: The largest first.
        alike: Images that are near-duplicates of each other, set by set.
    """

    clusters: list[Cluster]
    alike: list[list[str]]

    @functools.cached_property
    def folders(self) -> list[str]:
        """The folders that the clustered images are in, sorted."""
        every = {image for cluster in self.clusters for image in cluster.images}
        return sorted({str(PurePosixPath(image).parent) for image in every})

    @functools.cached_property
    def set_of(self) -> dict[str, int]:
        """The number of the set of near-duplicates that an image is in, by its path."""
        return {image: i for i, images in enumerate(self.alike) for image in images}


def read(folder: str | Path) -> KnownClusters | None:
    """Read the clusters of a folder; None where there is no list of them as we write it.

    Args:
        folder: The target of a clustering.
    """
    path = os.path.join(folder, FILE)
    stat = stat_of(path)
    return _read(os.path.realpath(path), stat) if stat else None


@functools.lru_cache(maxsize=2)
def _read(path: str, stat: Stat) -> KnownClusters | None:
    """Read a list once, as long as it stays as it is: it may be of a million images."""
    try:
        content = read_json(path)
        clusters = [_cluster(value) for value in content["clusters"]]
        alike = [list(map(str, images)) for images in content["near_duplicates"]]
    except GARBAGE:
        return None
    return KnownClusters(clusters, alike)


def _cluster(value: Mapping[str, Any]) -> Cluster:
    members = ((m["path"], m.get("digest")) for m in value["members"])
    images = {path: digest for path, digest in members if is_relative(path)}
    name, folder = value["name"], value["folder"]
    return Cluster(
        str(value["id"]),
        None if name is None else str(name),
        int(value["rank"]),
        None if folder is None else str(folder),
        images,
    )


def named_one_by_one(text: str | Iterable[str] | None) -> list[str]:
    """Split the clusters that a user names, a comma list or a list."""
    words = text.split(",") if isinstance(text, str) else text or ()
    return list(dict.fromkeys(word for each in words if (word := each.strip())))
