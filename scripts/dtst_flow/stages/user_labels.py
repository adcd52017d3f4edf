"""What the user says about the images of a clustering, and of which images it was said."""

from dataclasses import replace
from pathlib import Path

from dtst_flow.cluster import constraints, label_file, labels
from dtst_flow.cluster.constraints import Constraints
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.contract import Row
from dtst_flow.utils.files import to_json, write_atomic

BOUND = "labels.json"
"""Name of the file in a bucket's state with what each label is bound to."""


def read(rows: list[Row], bucket: str) -> Constraints:
    """Read the labels in a bucket of clusters, and find those of whom they were said.

    Args:
        rows: Those of embed's tables.
        bucket: The bucket.
    """
    said, faults = label_file.read(Path(bucket) / label_file.FILE)
    if not said:
        return Constraints(faults=faults)
    sights = [
        labels.Sight(
            row.get("photo") or row["digest"],
            tuple(row.get("box") or ()),
            int(row["hash"], 16),
        )
        for row in rows
    ]
    images = labels.Images([row["path"] for row in rows], sights)
    bound = labels.read_bound(state_of(bucket) / BOUND)
    known = constraints.make(said, images, bound)
    return replace(known, faults=faults + known.faults)


def keep(known: Constraints, bucket: str) -> None:
    """Write down what each label is bound to, for the next run."""
    path = state_of(bucket) / BOUND
    if known.bound or path.exists():
        write_atomic(path, to_json(labels.to_json(known.bound)))
