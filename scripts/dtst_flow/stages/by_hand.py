"""What a user did by hand to files of ours: moved them among the clusters, or deleted them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.dataset import cluster_list
from dtst_flow.dataset.cluster_list import ClusterList, Listed, is_of
from dtst_flow.dataset.entries import Entry, Row, stat_of, unchanged
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.utils.files import digest_file
from dtst_flow.utils.tables import BrokenTable, read_table, write_table

PUT_BACK = "put_back.jsonl"
"""Name of the file, in the state of a bucket of crops, with those that were deleted from it
and put back by a run."""

PART = "by_hand"
"""The part of a bucket that files are noted in which were moved and are adopted."""


@dataclass(frozen=True)
class Move:
    """An image of whose file something was done by hand.

    Attributes:
        image: The image.
        origin: The folder that its file was in, or the bucket of the image itself.
        target: The folder that it is in now, None where it is gone.
        file: Where it is now in the bucket of the clusters; None where it is not, and of a
            copy that the user made.
    """

    image: str
    origin: str
    target: str | None
    file: str | None = None


def seen(bucket: str, before: ClusterList, known: Collection[str] = ()) -> list[Move]:
    """Find what was done in a bucket of clusters since its list was written.

    Where nothing of ours is left, the user begins anew, and meant nothing by it.

    Args:
        bucket: The folder of the clusters; nothing was written there since.
        before: The list.
        known: Files that were moved before, of which others may have come back.
    """
    homes = before.listed
    gone = {p: one for p, one in homes.items() if not os.path.lexists(Path(bucket, p))}
    if not gone:
        return []
    found = _found(
        bucket,
        gone,
        sorted(_strays(bucket, homes), key=lambda path: (path in known, path)),
    )
    if len(gone) == len(homes) and not found:
        return []
    noted = Ledgers(bucket, state_of(bucket)).noted(gone.keys())
    moves = []
    for path, one in gone.items():
        origin, now = path.partition("/")[0], found.get(path)
        target = now.rpartition("/")[0] if now else None
        # What no ledger has as written was perhaps not laid out by a run that was killed.
        if target != origin and (now or path in noted):
            ours = now if now and _is_same(bucket, now, noted.get(path)) else None
            moves.append(Move(one.image, origin, target, ours))
    return moves


def _is_same(bucket: str, path: str, row: Row | None) -> bool:
    """Tell whether a file is the one that was noted at another place."""
    now = stat_of(Path(bucket, path), follow_links=False)
    return isinstance(row, Entry) and unchanged(now, row.stat)


def _found(bucket: str, gone: dict[str, Listed], strays: list[str]) -> dict[str, str]:
    """File that is gone from its place -> where it is now, by name or else by content."""
    by_name: dict[str, list[str]] = {}
    for stray in strays:
        by_name.setdefault(stray.rpartition("/")[2], []).append(stray)
    found = {}
    for path, one in gone.items():
        for stray in by_name.get(path.rpartition("/")[2], ()):
            if path not in found and is_of(Path(bucket, stray), one):
                found[path] = stray
    taken = set(found.values())
    left = [stray for stray in strays if stray not in taken]
    by_content: dict[str, list[str]] = {}
    for stray in left if len(found) < len(gone) else ():
        by_content.setdefault(_content(Path(bucket, stray)), []).append(stray)
    for path, one in gone.items():
        alike = [*by_content.get(one.digest, ()), *by_content.get(one.image, ())]
        if path not in found and alike:
            found[path] = alike[0]
            by_content[_content(Path(bucket, alike[0]))].remove(alike[0])
    return found


def _content(file: Path) -> str:
    """What tells which image a file is of: its digest, or where it leads as a link."""
    try:
        if not file.is_symlink():
            return digest_file(file)
        to = os.path.join(os.path.realpath(file.parent), os.readlink(file))
        return os.path.relpath(to)
    except OSError:
        return ""


def strays(bucket: str, ours: Iterable[str]) -> list[str]:
    """List what is in folders of clusters besides our files.

    Args:
        bucket: The folder of the clusters.
        ours: Our files in it; their sidecars are ours, too.

    Returns:
        Paths in the bucket, sorted; a file and its sidecar count as one.
    """
    ours = set(ours)
    folders = {path.partition("/")[0] for path in ours if "/" in path}
    return sorted(
        path
        for path in _strays(bucket, ours)
        if (folder := path.partition("/")[0]) in folders
        or cluster_list.FOLDER.fullmatch(folder)
    )


def _strays(bucket: str, ours: Iterable[str]) -> Iterator[str]:
    """Yield what is in any folder of a bucket besides our files, hidden files apart."""
    ours = set(ours)
    for here, folders, names in os.walk(bucket):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        folder = os.path.relpath(here, bucket)
        for name in names if folder != "." else ():
            path, image = f"{folder}/{name}", name.removesuffix(".json")
            is_sidecar = image != name and (
                image in names or f"{folder}/{image}" in ours
            )
            if not (name.startswith(".") or is_sidecar or path in ours):
                yield path


def deleted_crops(before: ClusterList) -> list[Move]:
    """Find the crops of ours that the user took out of the buckets that stages made.

    Args:
        before: The list of the clusters that they are in.
    """
    moves = []
    for bucket in buckets(before):
        prefix = f"{bucket}/"
        crops = {i.removeprefix(prefix) for i in before.wanted if i.startswith(prefix)}
        deleted = {crop for crop in crops if not os.path.lexists(prefix + crop)}
        if deleted:  # else there is no need to read the ledger
            # A photo's crop that its stage removed is in no ledger any more.
            ours = crops & Ledgers(bucket, state_of(bucket)).paths()
            # Where all are away, their disk is, or the user begins anew.
            deleted = deleted & ours if not ours <= deleted else set()
        deleted |= put_back(bucket) & crops
        moves += [Move(prefix + path, bucket, None) for path in sorted(deleted)]
    return moves


def buckets(before: ClusterList) -> list[str]:
    """The buckets with a ledger, of a stage's crops, that the images of clusters are in."""
    folders = {image.rpartition("/")[0] for image in before.wanted} - {""}
    return sorted(
        folder for folder in folders if (state_of(folder) / "ledger").is_dir()
    )


def put_back(bucket: str) -> set[str]:
    """The crops of a bucket that were deleted by hand and put back by runs."""
    path = state_of(bucket) / PUT_BACK
    with suppress(BrokenTable, LookupError, OSError, TypeError):
        return {str(row["path"]) for row in read_table(path)}
    return set()


def note_put_back(bucket: str, paths: Iterable[str]) -> None:
    """Note crops that a run puts back, or with none, that there are none any more."""
    table = state_of(bucket) / PUT_BACK
    if paths := sorted(paths):
        write_table(table, [{"path": path} for path in paths])
    else:
        table.unlink(missing_ok=True)
