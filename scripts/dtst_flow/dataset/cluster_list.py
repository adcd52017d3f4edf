"""The cluster list, ``clusters.json``: which image has which file among the clusters.

Where the ledger is lost, it takes its place.
"""

import functools
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dtst_flow.dataset.entries import Claim, Signature, stat_of
from dtst_flow.dataset.evidence import Found, Given
from dtst_flow.dataset.provenance import is_signature, signatures
from dtst_flow.dataset.stems import is_stem_of
from dtst_flow.utils.files import GARBAGE, digest_file, read_json

FILE = "clusters.json"
"""Its name, in the folder of the clusters."""

NOISE, REJECTED = "noise", "rejected"
"""The keys of what is in no cluster, and of what the user does not want; also folders."""

LABELS = "labels"
"""The key of the lines of labels.csv that are of clusters, with the images of these."""

KEYS = frozenset({"parameters", "clusters", "noise", "near_duplicates"})
"""What one of ours holds, and since there are such, REJECTED and perhaps LABELS."""

PARAMETERS = frozenset({"model", "top", "min_cluster_size"})
"""Some of what its parameters are."""

FOLDER = re.compile(r"\d{3,}|noise|rejected")
"""A folder of a clustering, if it is not named after its cluster."""


@dataclass(frozen=True)
class Listed:
    """An image with a file among the clusters.

    Attributes:
        image: The image.
        file: Its file, relative to the folder of the clusters.
        digest: That of the image's content.
        keys: The signature of the keys of its sidecar that provenance does not sign.
    """

    image: str
    file: str
    digest: str
    keys: Signature


@dataclass(frozen=True)
class ListedCluster:
    """A cluster, by what a user may call it.

    Attributes:
        id: Its id.
        name: Its name, if it has one.
        folder: Its folder, if it has one.
        members: Its images, the most typical first.
    """

    id: str
    name: str | None
    folder: str | None
    members: list[str]


@dataclass(frozen=True)
class ClusterList:
    """A cluster list that we wrote.

    Attributes:
        listed: The images with a file, by its path.
        clusters: The clusters, the largest first.
        noise: The images in none.
        parameters: The settings that they were made with.
        labels: A line of labels.csv -> for each of its places the images of the cluster
            that it was of when it was first read, none of an image.
    """

    listed: dict[str, Listed] = field(default_factory=dict)
    clusters: tuple[ListedCluster, ...] = ()
    noise: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[tuple[str, ...], list[list[str]]] = field(default_factory=dict)

    @property
    def folders(self) -> dict[str, list[str]]:
        """The images of each cluster that has a folder, the most typical first."""
        return {c.folder: c.members for c in self.clusters if c.folder is not None}

    @property
    def wanted(self) -> list[str]:
        """All images but those that are rejected."""
        return [*(i for cluster in self.clusters for i in cluster.members), *self.noise]

    def called(self, word: str, name_first: bool = False) -> ListedCluster | None:
        """Find a cluster by its id, its folder or its name, or else by its name first."""
        kinds = ["id", "folder", "name"]
        for kind in reversed(kinds) if name_first else kinds:
            for cluster in self.clusters:
                if getattr(cluster, kind) == word:
                    return cluster
        return None


NOTHING = ClusterList()


def read(path: str | Path) -> ClusterList | None:
    """Read a cluster list; None if there is none, or it is not as we write it."""
    try:
        content = read_json(path)
        keys, parameters = content.keys() - {REJECTED, LABELS}, content["parameters"]
        if not (keys == KEYS and parameters.keys() >= PARAMETERS):
            return None
        clusters = tuple(map(_cluster, content["clusters"]))
        images = [m for c in content["clusters"] for m in c["members"]]
        noise = tuple(str(member["path"]) for member in content[NOISE])
        apart = [*content[NOISE], *content.get(REJECTED, ())]
        labels = {
            tuple(map(str, each["label"])): [list(map(str, p)) for p in each["images"]]
            for each in content.get(LABELS, ())
        }
        folders = {c.folder for c in clusters}
        every = [_listed(member, folders) for member in [*images, *apart]]
    except GARBAGE:
        return None
    listed = {one.file: one for one in every if one}
    return ClusterList(listed, clusters, noise, parameters, labels)


def _cluster(cluster: Mapping[str, Any]) -> ListedCluster:
    """A cluster of a list."""
    name, folder = cluster.get("name"), cluster["folder"]
    members = sorted(cluster["members"], key=lambda m: float(m.get("distance", 0)))
    return ListedCluster(
        str(cluster.get("id")),
        None if name is None else str(name),
        None if folder is None else str(folder),
        [str(member["path"]) for member in members],
    )


def _listed(
    member: Mapping[str, Any], folders: Collection[str | None]
) -> Listed | None:
    """An image of a list, None if it has no file, or one that could not be its own.

    Args:
        member: What the list says of it.
        folders: Those of the clusters.
    """
    one = listed_of(member)
    folder = one.file.rpartition("/")[0] if one else ""
    fits = FOLDER.fullmatch(folder) or folder in folders
    plain = folder and "/" not in folder and not folder.startswith(".")
    return one if fits and plain else None


def listed_of(row: Mapping[str, Any]) -> Listed | None:
    """Return the image of a row of a list, None if its file could not be its own.

    Args:
        row: {path, file, digest, keys} of an image, of which a stranger's may lack any.
    """
    image, file, digest = row["path"], row.get("file"), row.get("digest")
    keys = row.get("keys", {})
    if not all(isinstance(value, str) for value in (image, file, digest)):
        return None
    stem, suffix = os.path.splitext(str(file).rpartition("/")[2])
    fits = (
        suffix == PurePosixPath(image).suffix
        and is_stem_of(stem, image)
        and is_signature(keys)
    )
    return Listed(image, str(file), str(digest), keys) if fits else None


class ListEvidence:
    """What a list that lies in a bucket says of the files beside it; an `evidence.Evidence`.

    Args:
        bucket: The bucket.

    Attributes:
        file: The name of the list.
    """

    file: str

    def __init__(self, bucket: str | Path) -> None:
        self.bucket = Path(bucket)

    @functools.cached_property
    def listed(self) -> dict[str, Listed] | None:
        """The images with a file, by its path; None where the list is none of ours.

        As it was when first asked for: a run writes another in its place.
        """
        raise NotImplementedError

    def row(
        self, path: str, ours: Mapping[str, Any] | None, lost: bool
    ) -> Claim | None:
        """Return the row of a file; as `Evidence.row`. The list itself is always known."""
        if self.listed is None:
            return None
        if path == self.file:
            return Claim(path, (), (stat_of(self.bucket / path, follow_links=False),))
        one = self.listed.get(path) if lost else None
        return self._claim(one) if one else None

    def found(self, but: Collection[str] = ()) -> Iterator[Found]:
        """Yield the files that the list names and that are as we wrote them."""
        for one in (self.listed or {}).values():
            if one.file not in but and (row := self._claim(one)):
                yield Found(one.image, row)

    def names(self) -> Iterator[Given]:
        """Yield the names by which images have files."""
        for one in (self.listed or {}).values():
            yield Given(one.image, PurePosixPath(one.file).stem, one.digest)

    def _claim(self, one: Listed) -> Claim | None:
        """The row of a file, None where the user has put another there."""
        file = self.bucket / one.file
        if os.path.lexists(file) and not is_of(file, one):
            return None
        stat = stat_of(file, follow_links=False)
        signed = signatures(file, one.keys)
        return Claim(one.file, signed, (stat,), shows=one.digest)


class ClusterEvidence(ListEvidence):
    """What a cluster list says of the files beside it."""

    file = FILE

    @functools.cached_property
    def before(self) -> ClusterList | None:
        """The list as it was when first asked for."""
        return read(self.bucket / FILE)

    @functools.cached_property
    def listed(self) -> dict[str, Listed] | None:
        """The images with a file among the clusters, by its path."""
        return self.before.listed if self.before else None


def is_of(file: Path, one: Listed) -> bool:
    """Tell whether a file holds what was laid out of an image, or is a link to it."""
    try:
        if file.is_symlink():
            to = os.path.join(os.path.realpath(file.parent), os.readlink(file))
            return os.path.normpath(to) == os.path.abspath(one.image)
        return file.is_file() and digest_file(file) == one.digest
    except OSError:
        return False
