"""What a finished run left, read for the report. Paths are relative to the dataset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtst_flow.dataset import inventory
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.state import STATE, state_of
from dtst_flow.stages.cluster import gather
from dtst_flow.utils.files import read_json, read_table


class NoResult(Exception):
    """There is nothing to report yet; the message says what would help."""


@dataclass(frozen=True)
class Stage:
    """What one stage said.

    bucket    the bucket it made, None for sidecars
    failures  {path, reason} of what it could not process
    """

    bucket: str | None
    said: list[str]
    failures: list[dict]


@dataclass(frozen=True)
class Results:
    """One clustering and how it came about.

    parameters  those of the clustering
    clusters    as in clusters.json, the largest first
    rows        {path, digest, …} of every image, in the order of `vectors`
    vectors     (n, d) float32
    groups      the rows of each cluster, nearest to its medoid first, (m,) int
    noise       rows that are in no cluster, (k,) int
    bursts      the first of a row of near duplicates -> how many they are
    stages      the clustering last
    """

    parameters: dict
    clusters: list[dict]
    rows: list[dict]
    vectors: np.ndarray
    groups: list[np.ndarray]
    noise: np.ndarray
    bursts: dict[str, int]
    stages: list[Stage]


def read(bucket: str) -> Results:
    """Read the clustering that lies in a bucket. Raises NoResult."""
    path = Path(bucket) / "clusters.json"
    state = state_of(bucket)
    try:
        found = read_json(path)
        shards = sorted(inventory.shards(state / "inventory"))
        tables = [str(state / "embeddings" / f"{shard}.jsonl") for shard in shards]
        arrays = [str(state / "embeddings" / f"{shard}.npy") for shard in shards]
        rows, vectors = _compared(*gather(tables, arrays))
        at = {row["path"]: i for i, row in enumerate(rows)}
        clusters = [_cluster(rank, c) for rank, c in enumerate(found["clusters"])]
        return Results(
            parameters=dict(found["parameters"]),
            clusters=clusters,
            rows=rows,
            vectors=vectors,
            groups=[_rows_of(cluster["members"], at) for cluster in clusters],
            noise=_rows_of(found["noise"], at),
            bursts={p[0]: len(p) for p in found.get("near_duplicates", ())},
            stages=_stages(bucket),
        )
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
    except (RecursionError, ValueError) as error:
        raise _unusable(path, state, error) from error


class _OtherImages(Exception):
    """An image that was not compared."""


def _unusable(path: Path, state: Path, error: Exception) -> NoResult:
    return NoResult(
        f"{path}, or what belongs to it in {state}, is not as dtst writes it "
        f"({type(error).__name__}: {error}); delete both, and dtst cluster makes them anew"
    )


def _compared(rows: list[dict], vectors: np.ndarray) -> tuple[list[dict], np.ndarray]:
    """Rows and vectors as they are. Raises ValueError for what is none of a dataset's."""
    for row in rows:
        if not is_relative(row["path"]) or not isinstance(row["digest"], str):
            raise ValueError(f"{row['path']!r} is no image of the dataset")
    if vectors.ndim != 2 or len(vectors) != len(rows) or vectors.dtype.kind != "f":
        raise ValueError("the embeddings are not those of the images")
    return rows, vectors


def _cluster(rank: int, cluster: dict) -> dict:
    """A cluster of clusters.json, as far as the report tells of it."""
    members = [
        {"path": member["path"], "distance": float(member["distance"])}
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
        "members": members,
    }


def _rows_of(members: list[dict], at: dict[str, int]) -> np.ndarray:
    for member in members:
        if member["path"] not in at:
            raise _OtherImages(repr(member["path"]))
    return np.array([at[member["path"]] for member in members], dtype=int)


def _stages(bucket: str) -> list[Stage]:
    """What the stages said; of those that cluster, only the one that made this bucket."""
    buckets = STATE / "buckets"
    told = sorted(path.parent for path in buckets.rglob("summary.json"))
    last = state_of(bucket)
    before = [p for p in told if p != last and not (p / "embeddings").exists()]
    return [_stage(path) for path in (*before, last) if path in told]


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
