"""Which crops a stage made of its images, so that it can be told how many more it will."""

from dataclasses import dataclass

from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.state import state_of
from dtst_flow.forecast.estimate import on_disk
from dtst_flow.utils.files import read_table

TABLES = {"extract_faces": "faces", "extract_classes": "classes"}
"""Stage that makes crops -> the folder in its bucket's state where its tables lie."""


@dataclass(frozen=True)
class Made:
    """What a stage made of its images.

    crops  image -> its crops, as paths
    each   how many crops an image has, on average
    size   bytes of a crop and its sidecar on disk, on average
    """

    crops: dict[str, list[str]]
    each: float = 1.0
    size: float = 0.0


def made(stage: str, bucket: str) -> Made:
    """What the last run of a stage made, by its tables.

    stage  a key of TABLES
    """
    tables = state_of(bucket) / TABLES[stage]
    try:
        rows = [row for table in tables.glob("*.jsonl") for row in read_table(table)]
        crops = {row["path"]: [c["path"] for c in row["crops"]] for row in rows}
        sizes = [on_disk(Entry.of_row(c).size) for row in rows for c in row["crops"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return Made({})  # whatever it is, no run of this workflow wrote it
    if not sizes:
        return Made({})
    crops = {path: [f"{bucket}/{name}" for name in of] for path, of in crops.items()}
    return Made(crops, len(sizes) / len(crops), sum(sizes) / len(sizes))
