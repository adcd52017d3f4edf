"""The results of a finished run, for the report. Paths are relative to the dataset."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from dtst_flow.dataset import inventory
from dtst_flow.dataset.cluster_list import REJECTED
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.state import STATE, state_of
from dtst_flow.report import NoResult
from dtst_flow.stages.cluster import gather
from dtst_flow.utils.files import read_json
from dtst_flow.utils.folders import folders_below
from dtst_flow.utils.tables import read_table


@dataclass(frozen=True)
class Stage:
    """What one stage said.

    Attributes:
        bucket: The bucket it made, None for sidecars.
        said: The sentences of its summary.
        failures: {path, reason} of each image that it could not process.
    """

    bucket: str | None
    said: list[str]
    failures: list[dict[str, str]]


class Member(TypedDict):
    """An image of a cluster: its cosine distance to the medoid, its quality if known."""

    path: str
    distance: float
    quality: float | None


class Cluster(TypedDict):
    """A cluster of clusters.json, as far as the report shows it; the best member first."""

    id: str | None
    name: str | None
    rank: int
    folder: str | None
    size: int
    medoid: str
    members: list[Member]


@dataclass(frozen=True)
class Results:
    """One clustering and how it came about.

    Attributes:
        parameters: The parameters of the clustering.
        clusters: As in clusters.json, the largest first.
        rows: {path, digest, …} of every image, in the order of `vectors`.
        vectors: (n, d) float32.
        groups: The rows of each cluster, in the order of its members, (m,) int.
        medoids: The row of each cluster's medoid.
        noise: Rows that are in no cluster, (k,) int.
        unrecognisable: Those of them that show faces nobody could recognise.
        rejected: Rows that the user does not want in any cluster, (r,) int.
        bursts: The first of a set of near duplicates -> how many they are.
        stages: The stages, the clustering last.
    """

    parameters: dict[str, Any]
    clusters: list[Cluster]
    rows: list[dict[str, Any]]
    vectors: NDArray[np.floating]
    groups: list[NDArray[np.intp]]
    medoids: list[int]
    noise: NDArray[np.intp]
    unrecognisable: set[int]
    rejected: NDArray[np.intp]
    bursts: dict[str, int]
    stages: list[Stage]


def read(bucket: str) -> Results:
    """Read the clustering in a bucket.

    Raises:
        NoResult: There is none, or it cannot be used; the message says what would help.
    """
    path = Path(bucket) / "clusters.json"
    state = state_of(bucket)
    try:
        return _read(path, state, bucket)
    except FileNotFoundError as error:
        raise NoResult(
            f"no clusters are in {bucket!r} yet ({error.filename} is missing); "
            f"dtst cluster --to {bucket} makes them"
        ) from error
    except _OtherImages as error:
        raise NoResult(
            f"{path} tells of other images than were compared last, such as {error}; "
            f"dtst cluster --to {bucket} brings it up to date"
        ) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise _unusable(path, state, error) from error
    except (OSError, RecursionError, ValueError) as error:
        raise _unusable(path, state, error) from error


def _read(path: Path, state: Path, bucket: str) -> Results:
    """`read`, with the errors of all that can be missing or wrong."""
    content = read_json(path)
    shards = sorted(inventory.shards(state / "inventory"))
    tables = [str(state / "embeddings" / f"{shard}.jsonl") for shard in shards]
    arrays = [str(state / "embeddings" / f"{shard}.npy") for shard in shards]
    rows, vectors = _compared(*gather(tables, arrays))
    numbers = {row["path"]: i for i, row in enumerate(rows)}
    clusters = [_cluster(rank, c) for rank, c in enumerate(content["clusters"])]
    return Results(
        parameters=dict(content["parameters"]),
        clusters=clusters,
        rows=rows,
        vectors=vectors,
        groups=[_rows_of(cluster["members"], numbers) for cluster in clusters],
        medoids=[numbers[cluster["medoid"]] for cluster in clusters],
        noise=_rows_of(content["noise"], numbers),
        unrecognisable={
            numbers[image["path"]]
            for image in content["noise"]
            if image.get("unrecognisable")
        },
        rejected=_rows_of(content.get(REJECTED, ()), numbers),
        bursts={p[0]: len(p) for p in content.get("near_duplicates", ())},
        stages=_stages(bucket),
    )


class _OtherImages(Exception):
    """An image that was not compared."""


def _unusable(path: Path, state: Path, error: Exception) -> NoResult:
    return NoResult(
        f"{path}, or what belongs to it in {state}, is not as dtst writes it "
        f"({type(error).__name__}: {error}); delete both, and dtst cluster makes them anew"
    )


def _compared(
    rows: list[dict[str, Any]], vectors: NDArray[np.floating]
) -> tuple[list[dict[str, Any]], NDArray[np.floating]]:
    """Rows and vectors as they are.

    Raises:
        ValueError: They are not those of a dataset.
    """
    for row in rows:
        if not is_relative(row["path"]) or not isinstance(row["digest"], str):
            raise ValueError(f"{row['path']!r} is no image of the dataset")
    if vectors.ndim != 2 or len(vectors) != len(rows) or vectors.dtype.kind != "f":
        raise ValueError("the embeddings are not those of the images")
    return rows, vectors


def _cluster(rank: int, cluster: Mapping[str, Any]) -> Cluster:
    """A cluster of clusters.json, as far as the report shows it."""
    members: list[Member] = [
        {
            "path": member["path"],
            "distance": float(member["distance"]),
            "quality": float(member["quality"]) if "quality" in member else None,
        }
        for member in cluster["members"]
    ]
    if not members:
        raise ValueError("a cluster has no members")
    return {
        "id": cluster.get("id"),
        "name": cluster.get("name"),
        "rank": rank,
        "folder": cluster["folder"],
        "size": len(members),
        "medoid": cluster["medoid"],
        "members": members,
    }


def _rows_of(
    members: Iterable[Mapping[str, Any]], numbers: Mapping[str, int]
) -> NDArray[np.intp]:
    """The rows of images, given the number of each path's row."""
    rows = []
    for member in members:
        if member["path"] not in numbers:
            raise _OtherImages(repr(member["path"]))
        rows.append(numbers[member["path"]])
    return np.array(rows, dtype=int)


def _stages(bucket: str) -> list[Stage]:
    """What the stages said; of those that cluster, only the one that made this bucket."""
    buckets = STATE / "buckets"
    states = sorted(f for f in folders_below(buckets) if (f / "summary.json").exists())
    last = state_of(bucket)
    before = [p for p in states if p != last and not (p / "embeddings").exists()]
    return [_stage(path) for path in (*before, last) if path in states]


def _stage(state: Path) -> Stage:
    name = state.relative_to(STATE / "buckets").as_posix()
    failed = state / "failed.jsonl"
    return Stage(
        None if name.startswith(".") else name,
        list(read_json(state / "summary.json")["said"]),
        [
            {"path": row["path"], "reason": row["reason"]}
            for row in (read_table(failed) if failed.exists() else ())
        ],
    )
