"""The cluster list, ``clusters.json``: which image has which file among the clusters.

Where the ledger is lost, it takes its place.
"""

import functools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dtst_flow.dataset.entries import Claim, Signature, stat_of
from dtst_flow.dataset.evidence import Found
from dtst_flow.dataset.provenance import is_signature, signatures
from dtst_flow.dataset.stems import is_stem_of
from dtst_flow.utils.files import digest_file, read_json

FILE = "clusters.json"
"""Its name, in the folder of the clusters."""

KEYS = frozenset({"parameters", "clusters", "noise", "near_duplicates"})
"""What one of ours holds."""

PARAMETERS = frozenset({"model", "top", "min_cluster_size"})
"""Some of what its parameters are."""

FOLDER = re.compile(r"\d{3,}|noise")
"""A folder of a clustering."""


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
class ClusterList:
    """A cluster list that we wrote.

    Attributes:
        listed: The images with a file, by its path.
        folders: The images of each cluster that has a folder, the most typical first.
    """

    listed: dict[str, Listed]
    folders: dict[str, list[str]]


def read(path: str | Path) -> ClusterList | None:
    """Read a cluster list; None if there is none, or it is not as we write it."""
    try:
        content = read_json(path)
        if not (content.keys() == KEYS and content["parameters"].keys() >= PARAMETERS):
            return None
        named = [c for c in content["clusters"] if c["folder"] is not None]
        folders = {
            str(c["folder"]): [str(m["path"]) for m in c["members"]] for c in named
        }
        images = [m for c in content["clusters"] for m in c["members"]]
        every = list(map(_listed, [*images, *content["noise"]]))
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return None
    return ClusterList({one.file: one for one in every if one}, folders)


def _listed(member: Mapping[str, Any]) -> Listed | None:
    """An image of a list, None if it has no file, or one that could not be its own."""
    one = listed_of(member)
    folder = one.file.rpartition("/")[0] if one else ""
    return one if FOLDER.fullmatch(folder) else None


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

    def found(self) -> Iterator[Found]:
        """Yield the files that the list names and that are as we wrote them."""
        for one in (self.listed or {}).values():
            if row := self._claim(one):
                yield Found(one.image, row)

    def _claim(self, one: Listed) -> Claim | None:
        """The row of a file, None where the user has put another there."""
        file = self.bucket / one.file
        if os.path.lexists(file) and not is_of(file, one):
            return None
        stat = stat_of(file, follow_links=False)
        return Claim(one.file, signatures(file, one.keys), (stat,))


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
