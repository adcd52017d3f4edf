"""A clustering as it is reviewed: clusters.json, its images numbered in its order."""

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.dataset.containment import is_relative
from dtst_flow.report import NoResult
from dtst_flow.utils.files import GARBAGE, digest, read_bytes

FILE = "clusters.json"
"""Name of the file in the bucket of the clusters."""

NOISE, REJECTED = "noise", "rejected"
"""In place of a cluster's id; ids are hexadecimal."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster.

    Attributes:
        id: Its id, which it keeps from run to run.
        folder: Its folder in the bucket, or that which it would have.
        name: Its name, if it has one.
        start: The number of its first member.
        end: One more than that of its last.
        medoid: The number of its medoid.
        quality: The mean quality of its members, if known.
    """

    id: str
    folder: str
    name: str | None
    start: int
    end: int
    medoid: int
    quality: float | None

    @property
    def size(self) -> int:
        """How many images it has."""
        return self.end - self.start

    @property
    def label(self) -> str:
        """What it is called: by its name or its folder."""
        return self.name or self.folder


@dataclass(frozen=True)
class Clustering:
    """Images numbered from 0: those of the clusters, then the noise, then the rejected.

    Attributes:
        digest: Of clusters.json; numbers are those of this content.
        parameters: Those of the clustering.
        clusters: The clusters, the largest first.
        paths: Of each image, its path in the dataset.
        digests: Of each image, the digest of its content, if that is known.
        distances: (n,) float32, to the medoid; NaN where there is none.
        qualities: (n,) float32, of faces; NaN where it is not known.
        of: (n,) int32, the cluster of each image by its place; -1 without one.
        noise: The number of the first image in noise.
        rejected: That of the first rejected one.
        unrecognisable: Images in noise whose faces nobody could recognise.
        sets: The paths of near-duplicates, the one first that stands for all.
    """

    digest: str
    parameters: Mapping[str, Any]
    clusters: list[Cluster]
    paths: list[str]
    digests: list[str | None]
    distances: NDArray[np.float32]
    qualities: NDArray[np.float32]
    of: NDArray[np.int32]
    noise: int
    rejected: int
    unrecognisable: frozenset[int]
    sets: list[list[str]]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {path: n for n, path in enumerate(self.paths)}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {cluster.id: place for place, cluster in enumerate(self.clusters)}

    @cached_property
    def copies(self) -> dict[int, int]:
        """Image -> how many near-duplicates it stands for, itself not counted."""
        firsts = ((self.number(paths[0]), len(paths) - 1) for paths in self.sets)
        return {n: count for n, count in firsts if n is not None}

    def number(self, path: str) -> int | None:
        """The number of an image, None where there is none of that path."""
        return self._numbers.get(path)

    def place(self, id_: str) -> int | None:
        """The place of a cluster among all, None where none has that id."""
        return self._places.get(id_)

    def cluster_of(self, n: int) -> Cluster | None:
        """The cluster that an image is in."""
        place = int(self.of[n])
        return None if place < 0 else self.clusters[place]

    def home(self, n: int) -> str:
        """The id of the cluster that an image is in, or NOISE or REJECTED."""
        cluster = self.cluster_of(n)
        if cluster is not None:
            return cluster.id
        return NOISE if n < self.rejected else REJECTED


def read(bucket: str) -> Clustering:
    """Read the clustering in a bucket, in the dataset's folder.

    Raises:
        NoResult: There is none, or it cannot be used; the message says what would help.
    """
    path = Path(bucket) / FILE
    try:
        with _without_collector():
            return _clustering(read_bytes(path))
    except FileNotFoundError as error:
        raise NoResult(
            f"no clusters are in {bucket!r} yet ({path} is missing); "
            f"dtst cluster --to {bucket} makes them"
        ) from error
    except (ArithmeticError, *GARBAGE) as error:
        raise NoResult(
            f"{path} is not as dtst writes it ({type(error).__name__}: {error}); "
            "delete it, and dtst cluster makes it anew"
        ) from error


@contextmanager
def _without_collector() -> Iterator[None]:
    """Have nobody look for garbage among a million values that are all in use."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _clustering(content: bytes) -> Clustering:
    value = json.loads(content)
    noise, rejected = value["noise"], value.get("rejected", ())
    members = [cluster["members"] for cluster in value["clusters"]]
    images = [*chain.from_iterable(members), *noise, *rejected]
    sizes = np.array([len(each) for each in members], np.int64)
    starts = np.concatenate([[0], sizes.cumsum()]).tolist()
    qualities = _numbers(images, "quality")
    paths = _paths(images)
    clusters = [
        _cluster(rank, cluster, paths, qualities[start : start + len(each)], start)
        for rank, (cluster, each, start) in enumerate(
            zip(value["clusters"], members, starts, strict=False)
        )
    ]
    of = np.full(len(images), -1, np.int32)
    of[: starts[-1]] = np.repeat(np.arange(len(clusters)), sizes)
    return Clustering(
        digest=digest(content),
        parameters=dict(value["parameters"]),
        clusters=clusters,
        paths=paths,
        digests=[image.get("digest") for image in images],
        distances=_numbers(images, "distance").astype(np.float32),
        qualities=qualities.astype(np.float32),
        of=of,
        noise=starts[-1],
        rejected=starts[-1] + len(noise),
        unrecognisable=frozenset(
            n
            for n, image in enumerate(noise, starts[-1])
            if image.get("unrecognisable")
        ),
        sets=[paths for paths in value.get("near_duplicates", ()) if paths],
    )


def _paths(images: Sequence[Mapping[str, Any]]) -> list[str]:
    """The paths of images. Raises ValueError where one leads out of the dataset."""
    paths = [image["path"] for image in images]
    together = "\0".join(["", *paths])
    # Of most it is seen at a glance, and there may be a million.
    suspicious = together.count("\0") != len(paths) or any(
        part in together for part in ("..", "\0/", "\0.", "\0\0")
    )
    for path in paths if suspicious or together.endswith("\0") else ():
        if not is_relative(path):
            raise ValueError(f"{path!r} is no image of the dataset")
    return paths


def _numbers(images: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    """A number of each image, NaN where it is not known."""
    return np.array([image.get(key, np.nan) for image in images], np.float64)


def _cluster(
    rank: int,
    value: Mapping[str, Any],
    paths: list[str],
    qualities: NDArray[np.float64],
    start: int,
) -> Cluster:
    if not len(qualities):
        raise ValueError("a cluster has no members")
    end = start + len(qualities)
    known = [q for q in qualities.tolist() if q == q]
    name = value.get("name")
    return Cluster(
        id=str(value["id"]),
        folder=str(value["folder"] or f"{rank:03d}"),
        name=None if name is None else str(name),
        start=start,
        end=end,
        medoid=paths.index(value["medoid"], start, end),
        quality=sum(known) / len(known) if known else None,
    )
