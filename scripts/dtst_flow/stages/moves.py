"""What the user moved or put among the clusters by hand, and how a move is made to last."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dtst_flow.cluster.label_file import FILE as LABELS
from dtst_flow.dataset.cluster_list import FOLDER, ClusterList, is_of
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.clustering import Clustering
from dtst_flow.utils.files import write_atomic

FILE = "moves.csv"
"""Name of the file, in the state of the bucket, with the lines that make moves last."""

MAX_SHOWN = 3
"""Moves whose lines are shown."""


@dataclass(frozen=True)
class Move:
    """An image whose file the user moved to the folder of another cluster.

    Attributes:
        image: The image.
        origin: The folder that its file was in.
        target: The folder that it is in now.
        lines: Those of labels.csv that have the same effect and are not there yet.
    """

    image: str
    origin: str
    target: str
    lines: list[tuple[str, str, str]] = field(default_factory=list)


def find(before: ClusterList | None, bucket: str, clustering: Clustering) -> list[Move]:
    """Find the files that were moved since clusters.json was written.

    Args:
        before: What it says.
        bucket: The folder of the clusters; nothing was written there since.
        clustering: The clusters as they are now.

    Returns:
        The moves that the clusters of now do not follow.
    """
    if before is None:
        return []
    labels = _labels(clustering)
    homes = {path.rpartition("/")[2]: path for path in before.listed}
    moved = []
    for path in strays(bucket, set(before.listed)):
        folder, _, name = path.partition("/")
        home = homes.get(name)
        if home is None or os.path.lexists(Path(bucket, home)):
            continue
        one = before.listed[home]
        if one.image in labels and is_of(Path(bucket, path), one):
            moved.append(Move(one.image, home.partition("/")[0], folder))
    images = {move.image for move in moved}
    others = {
        folder: [image for image in members if image in labels and image not in images]
        for folder, members in before.folders.items()
    }
    for move in moved:
        move.lines.extend(_lines(move, others, labels))
    return [move for move in moved if move.lines]


def strays(bucket: str, ours: set[str]) -> list[str]:
    """List what is in the numbered folders of a bucket besides our files.

    Args:
        bucket: The folder of the clusters.
        ours: Our files in it; their sidecars are ours, too.

    Returns:
        Paths in the bucket, sorted; a file and its sidecar count as one.
    """
    found = []
    for folder in filter(FOLDER.fullmatch, _names(Path(bucket))):
        names = _names(Path(bucket, folder))
        for name in names:
            image = name.removesuffix(".json")
            is_sidecar = image != name and (
                image in names or f"{folder}/{image}" in ours
            )
            if not is_sidecar and f"{folder}/{name}" not in ours:
                found.append(f"{folder}/{name}")
    return sorted(found)


def sentences(moved: list[Move], bucket: str, ours: set[str]) -> list[str]:
    """Return what to tell of moves and of files that are not ours.

    The lines that make the moves last are also written to a file.

    Args:
        moved: The moves.
        bucket: The folder of the clusters, with what is laid out now.
        ours: The files that are.
    """
    said = []
    if others := strays(bucket, ours):
        said.append(
            f"{len(others)} files in the folders of {bucket} are not dtst's and stay, "
            f"first {others[0]!r}"
        )
    path = state_of(bucket) / FILE
    if not moved:
        path.unlink(missing_ok=True)
        return said
    # It begins with an empty line, as the last one of labels.csv may lack its end.
    text = "\n" + "".join(_text(line) for move in moved for line in move.lines)
    write_atomic(path, text.encode("utf-8", "surrogateescape"))
    said.append(
        f"{len(moved)} images were moved by hand, first {moved[0].image!r} from "
        f"{moved[0].origin} to {moved[0].target}, where a copy stays; to have every run "
        f"follow that, add these lines to {bucket}/{LABELS} (all are in {path}):"
    )
    said += [_text(line)[:-1] for move in moved[:MAX_SHOWN] for line in move.lines]
    if len(moved) > MAX_SHOWN:
        said.append(f"... and those of {len(moved) - MAX_SHOWN} more")
    return said


def _lines(
    move: Move, others: dict[str, list[str]], labels: dict[str, int]
) -> Iterator[tuple[str, str, str]]:
    """Yield the lines of labels.csv that a move means and the clusters do not follow.

    Args:
        move: The move.
        others: Folder -> its images that were not moved and are still there.
        labels: Image -> its cluster, -1 for noise.
    """
    label = labels[move.image]
    for relation, folder in (("cannot-link", move.origin), ("must-link", move.target)):
        if other := next(iter(others.get(folder, ())), None):
            together = label >= 0 and label == labels[other]
            if together is (relation == "cannot-link"):
                yield relation, move.image, other


def _labels(clustering: Clustering) -> dict[str, int]:
    """Image -> the rank of its cluster, -1 for noise."""
    labels = {row["path"]: -1 for row in clustering.rows}
    for rank, group in enumerate(clustering.grouping.groups):
        labels |= {clustering.rows[i]["path"]: rank for i in group.members}
    return labels


def _names(folder: Path) -> list[str]:
    """The names in a folder, hidden ones apart; none where it cannot be listed."""
    with suppress(OSError):
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    return []


def _text(line: tuple[str, str, str]) -> str:
    cells = io.StringIO(newline="")
    csv.writer(cells, lineterminator="\n").writerow(line)
    return cells.getvalue()
