"""Adoption: what was done by hand among the clusters becomes lines of labels.csv.

Until then every run puts back what was there, says so, and keeps in mind what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from dtst_flow.cluster import label_file
from dtst_flow.cluster.label_file import Cells
from dtst_flow.cluster.meaning import Reading
from dtst_flow.dataset import cluster_list
from dtst_flow.dataset.cluster_list import (
    NOTHING,
    REJECTED,
    ClusterEvidence,
    ClusterList,
)
from dtst_flow.dataset.entries import Claim, stat_of
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.provenance import signatures
from dtst_flow.dataset.state import state_of
from dtst_flow.stages import by_hand, deeds, user_labels
from dtst_flow.stages.deeds import Deed
from dtst_flow.utils.text import capped

if TYPE_CHECKING:
    from dtst_flow.stages.clustering import Clustering

MAX_SHOWN = 6
"""Lines of labels.csv that are shown."""


@dataclass(frozen=True)
class Adoption:
    """What becomes of what was done by hand.

    Attributes:
        done: What was done, in words.
        add: Lines that labels.csv gets.
        remove: Lines of it that say something else of the same images, and go.
    """

    done: list[str]
    add: list[Cells]
    remove: list[Cells]


def look(bucket: str, before: ClusterList) -> list[Deed]:
    """Find what was done by hand and no run follows yet.

    Args:
        bucket: The bucket of the clusters, as the user left it.
        before: The list in it.
    """
    known = deeds.pending(bucket)
    files = {file for deed in known for file in deed.files}
    moves = [*by_hand.seen(bucket, before, files), *by_hand.deleted_crops(before)]
    once = {move.image: move for move in reversed(moves)}
    return deeds.with_later(known, deeds.meant(list(once.values()), before))


def adopt(bucket: str, write: bool = True) -> Adoption:
    """Turn what was done by hand into lines of labels.csv.

    Args:
        bucket: The bucket of the clusters.
        write: Whether to write them; files that were moved are ours again then, and the
            next run brings them to where they belong.

    Raises:
        OSError: There was no run, or its tables are gone.
        LabelsRefused: labels.csv cannot be written to.
    """
    before = cluster_list.read(Path(bucket) / cluster_list.FILE) or NOTHING
    found = look(bucket, before)
    rows, known = user_labels.read_again(bucket)
    paths = [str(row["path"]) for row in rows]
    add, remove = revised(found, known.readings, paths, before)
    if write and found:
        label_file.edit(Path(bucket) / label_file.FILE, add, remove)
        _take_back(bucket, found, before)
        user_labels.keep(user_labels.read_again(bucket)[1], bucket)
        forget(bucket)
    return Adoption([deed.said for deed in found], add, remove)


def forget(bucket: str, write: bool = True) -> int:
    """Forget what was done by hand and put back since; returns how much that was."""
    known = deeds.pending(bucket)
    before = cluster_list.read(Path(bucket) / cluster_list.FILE) or NOTHING
    if write:
        deeds.keep(bucket, [])
        for source in by_hand.buckets(before):
            by_hand.note_put_back(source, ())
    return len(known)


def revised(
    found: list[Deed], readings: list[Reading], paths: list[str], before: ClusterList
) -> tuple[list[Cells], list[Cells]]:
    """Tell which lines deeds mean, and which that are there say something else.

    Args:
        found: The deeds.
        readings: The lines that are there.
        paths: The names of the images of their rows.
        before: The list of the clusters.

    Returns:
        The lines to add, and those to take out.
    """
    lines = dict.fromkeys(chain.from_iterable(deed.lines for deed in found))
    add = dict.fromkeys(lines)
    remove: dict[Cells, None] = {}
    left = {image: other for deed in found for image, other in deed.left.items()}
    overruled = _overruled(found, readings, paths, before)
    for reading in readings:
        cells = reading.label.cells
        names = [[paths[row] for row in rows] for rows in reading.rows]
        instead = _instead(cells, names, left)
        if cells[0] == "reject" and ("reject", cells[1], "") in lines:
            add.pop(("reject", cells[1], ""), None)  # it says why, too
        elif cells not in lines and (instead is not None or cells in overruled):
            remove[cells] = None
            add = dict.fromkeys(instead or ()) | add
    there = {reading.label.cells for reading in readings} - remove.keys()
    return [cells for cells in add if cells not in there], list(remove)


def _instead(
    cells: Cells, names: list[list[str]], left: dict[str, str]
) -> list[Cells] | None:
    """What takes the place of a line, as images left their clusters; None if it stays.

    Args:
        cells: The line.
        names: The images that its places are of.
        left: Image -> one that stands for those that it left.
    """
    relation, image, other = cells
    here = names[0] if names and names[0] else [image]
    there = names[1] if len(names) > 1 and names[1] else [other]
    if here[0] in left and len(here) == 1:
        stays = left[here[0]]
        return [(relation, stays, other)] if relation == "name" and stays else []
    if relation == "reject" and left.keys() & set(here):
        return [(relation, each, other) for each in here if each not in left]
    if relation not in ("name", "reject") and len(there) == 1 and there[0] in left:
        stays = left[there[0]]
        return [(relation, image, stays)] if stays and stays not in here else []
    return None


def _overruled(
    found: list[Deed], readings: list[Reading], paths: list[str], before: ClusterList
) -> set[Cells]:
    """The lines against clusters that were moved as a whole: other names, and what parted."""
    wrong = set()
    members = {image: c.members for c in before.clusters for image in c.members}
    for deed in found:
        whole = set(deed.images) - deed.left.keys()
        for relation, image, other in deed.lines if whole else ():
            if image not in whole:
                continue
            there = set(members.get(other, ())) if relation == "must-link" else set()
            said = [
                (r.label.cells, {paths[i] for i in chain(*r.rows)}) for r in readings
            ]
            named = any(c[0] == "name" and of & there for c, of in said)
            for cells, of in said:
                if cells[0] == "name" and of & whole:
                    if named or (relation == "name" and cells[2] != other):
                        wrong.add(cells)
                elif cells[0] in ("not", "cannot-link") and of & whole and of & there:
                    wrong.add(cells)
    return wrong


def _take_back(bucket: str, found: list[Deed], before: ClusterList) -> None:
    """Note that moved files are ours: the next run removes those that it does not want."""
    part = Part(
        Ledgers(bucket, state_of(bucket), ClusterEvidence(bucket)), by_hand.PART
    )
    # Even if empty it tells that the next run has something to settle.
    part.journal.parent.mkdir(parents=True, exist_ok=True)
    part.journal.touch()
    listed = {one.image: one for one in before.listed.values()}
    for path, image in chain.from_iterable(deed.files.items() for deed in found):
        one, file = listed.get(image), Path(bucket, path)
        if one and path not in before.listed and cluster_list.is_of(file, one):
            stat = stat_of(file, follow_links=False)
            part.claim(Claim(path, signatures(file, one.keys), (stat,)))


def unfollowed(found: list[Deed], clustering: Clustering) -> list[Deed]:
    """Those of some deeds that a clustering does not follow."""
    places: dict[str, int | str] = {}
    for rank, group in enumerate(clustering.grouping.groups):
        for row in group.members.tolist():
            places[clustering.rows[row]["path"]] = rank
    for row in clustering.known.rejected:
        places[clustering.rows[row]["path"]] = REJECTED
    names = clustering.names

    def holds(line: Cells) -> bool:
        relation, image, other = line
        here, there = places.get(image), places.get(other)
        if relation == "reject":
            return here == REJECTED
        if relation == "name":
            return isinstance(here, int) and names[here] == other
        together = isinstance(here, int) and here == there
        return together is (relation == "must-link")

    # Without a line it is to be in no cluster.
    return [
        deed
        for deed in found
        if not all(map(holds, deed.lines))
        or (not deed.lines and places.keys() & set(deed.images))
    ]


def sentences(found: list[Deed], bucket: str, ours: set[str]) -> list[str]:
    """Return what to tell of deeds that no run follows, and of files that are not ours.

    Args:
        found: The deeds.
        bucket: The folder of the clusters, with what is laid out now.
        ours: The files that are.
    """
    said = []
    if others := by_hand.strays(bucket, ours):
        said.append(
            f"{len(others)} files in the folders of {bucket} are not dtst's and stay, "
            f"first {others[0]!r}"
        )
    if found:
        to = "" if bucket == "cluster" else f" --to {bucket}"
        said.append(
            f"{len(found)} changes by hand were not kept, first: {found[0].said}; "
            f"`dtst labels adopt{to}` has every run follow them, by lines of "
            f"{bucket}/{label_file.FILE}:"
        )
        lines = dict.fromkeys(chain.from_iterable(deed.lines for deed in found))
        shown = [label_file.text_of(cells) for cells in lines]
        said += capped(shown, "shown by `dtst labels adopt -n`", MAX_SHOWN)
    return said
