"""What the user says about the images of a clustering, and of which images it was said."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from dtst_flow.cluster import label_file, labels, meaning
from dtst_flow.cluster.meaning import Constraints
from dtst_flow.dataset import cluster_list, inventory
from dtst_flow.dataset.cluster_list import NOTHING
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.contract import Row
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import read_table


def read(rows: list[Row], bucket: str, people: Collection[str] = ()) -> Constraints:
    """Read the labels in a bucket of clusters, and find those of whom they were said.

    Args:
        rows: Those of embed's tables.
        bucket: The bucket.
        people: The names of known people.
    """
    said, faults = label_file.read(Path(bucket) / label_file.FILE)
    if not said:
        return Constraints(faults=faults, unread=faults)
    sights = [
        labels.Sight(
            row.get("photo") or row["digest"],
            tuple(row.get("box") or ()),
            int(row["hash"], 16),
        )
        for row in rows
    ]
    images = labels.Images([row["path"] for row in rows], sights)
    bound = labels.read_bound(state_of(bucket) / labels.BOUND)
    clusters = cluster_list.read(Path(bucket) / cluster_list.FILE)
    known = meaning.make(said, images, bound, clusters or NOTHING, people)
    return replace(known, faults=faults + known.faults, unread=faults)


def read_again(bucket: str) -> tuple[list[Row], Constraints]:
    """Read the labels as the next run will, with the images of the last one.

    Returns:
        The images, by path, and what the labels say of them.

    Raises:
        OSError: There was none, or its tables are gone or damaged.
    """
    state = state_of(bucket)
    clusters = cluster_list.read(Path(bucket) / cluster_list.FILE) or NOTHING
    shards = sorted(inventory.shards(state / "inventory"))
    tables = (state / "embeddings" / f"{shard}.jsonl" for shard in shards)
    apart = f"{clusters.parameters.get('people') or '/'}/"
    rows = [
        row
        for table in tables
        for row in read_table(table)
        if not row["path"].startswith(apart)
    ]
    people = {cluster.name for cluster in clusters.clusters if cluster.name}
    rows.sort(key=lambda row: str(row["path"]))
    return rows, read(rows, bucket, people)


def keep(known: Constraints, bucket: str) -> None:
    """Write down what each label is bound to, for the next run."""
    path = state_of(bucket) / labels.BOUND
    if known.bound or path.exists():
        write_atomic(path, to_json(labels.to_json(known.bound)))


def of_clusters(known: Constraints) -> dict[str, Any]:
    """What the user's lines that are of clusters were said of, for when the state is lost."""
    images = {
        cells: [
            [] if isinstance(p, labels.Sight) else [path for path, _ in p]
            for p in places
        ]
        for cells, places in known.bound.items()
    }
    said = [{"label": c, "images": each} for c, each in images.items() if any(each)]
    return {cluster_list.LABELS: said} if said else {}
