"""What a finished run left, read for the report. Paths are relative to the dataset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtst_flow import inventory
from dtst_flow.files import read_json, read_table
from dtst_flow.stages.cluster import gather
from dtst_flow.stages.job import STATE, state_of


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
        rows, vectors = gather(tables, arrays)
    except FileNotFoundError as error:
        raise NoResult(
            f"no clusters are in {bucket!r} yet ({error.filename} is missing); "
            f"dtst cluster --to {bucket} makes them"
        ) from error
    at = {row["path"]: i for i, row in enumerate(rows)}

    def rows_of(members: list[dict]) -> np.ndarray:
        return np.array([at[member["path"]] for member in members], dtype=int)

    try:
        groups = [rows_of(cluster["members"]) for cluster in found["clusters"]]
        noise = rows_of(found["noise"])
    except KeyError as error:
        raise NoResult(
            f"{path} tells of other images than were compared last, such as {error}; "
            f"dtst cluster --to {bucket} brings it up to date"
        ) from error
    bursts = {paths[0]: len(paths) for paths in found.get("near_duplicates", ())}
    return Results(
        found["parameters"],
        found["clusters"],
        rows,
        vectors,
        groups,
        noise,
        bursts,
        _stages(bucket),
    )


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
        read_json(state / "summary.json")["said"],
        list(read_table(failed)) if failed.exists() else [],
    )
