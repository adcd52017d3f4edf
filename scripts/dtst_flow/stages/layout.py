"""Laying clusters out as folders: every image in one, its sidecar beside it."""

from __future__ import annotations

import errno
import functools
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dtst_flow.dataset import cluster_list, photo_keys, sidecars, subjects
from dtst_flow.dataset.cluster_list import ClusterEvidence
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import ForeignFile, Part
from dtst_flow.dataset.provenance import unsigned
from dtst_flow.dataset.state import state_of
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.failures import failure
from dtst_flow.runtime.progress import Progress
from dtst_flow.stages import adoption, deeds, folders
from dtst_flow.stages.accounting import refuse_missing
from dtst_flow.stages.clustering import Clustering, describe
from dtst_flow.stages.contract import Row
from dtst_flow.stages.telling import of_files
from dtst_flow.utils import links
from dtst_flow.utils.files import digest_file, digest_value, temporary, to_json

log = logging.getLogger(__name__)

PART = "all"
"""The only part of a bucket of clusters."""


@dataclass(frozen=True)
class Handling:
    """What to do besides, without effect on which images belong together.

    Attributes:
        link: A key of `links.LINKERS`: what the images in the folders are.
        clean: Remove what earlier runs wrote there before writing.
        strict: Whether one failed image fails the run.
    """

    link: str = "copy"
    clean: bool = False
    strict: bool = False


@dataclass
class Layout:
    """What is laid out.

    Attributes:
        files: Number of an image -> what the list beside them says of its file: {file,
            digest, keys}, the path, its content's digest, and the signature of what its
            sidecar has besides what provenance signs, if anything.
        entries: The ledger rows.
        left_out: A `failure` of every image that could not go there.
        said: What to tell the user of it.
    """

    files: dict[int, Row] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    left_out: list[Row] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def write(
    bucket: str, clustering: Clustering, ids: list[str], handling: Handling
) -> Layout:
    """Lay a clustering out in its bucket, with clusters.json, and remove what is outdated.

    Args:
        bucket: The target folder, relative to the dataset.
        clustering: What was found.
        ids: Those of its clusters.
        handling: What to do besides.

    Raises:
        SystemExit: Images changed in the meantime; all others are laid out.
    """
    evidence = ClusterEvidence(bucket)
    ledgers = Ledgers(bucket, state_of(bucket), evidence)
    by_hand = adoption.look(bucket, evidence.before or cluster_list.NOTHING)
    removed = ledgers.commit({}) if handling.clean else []
    named, how = clustering.names[: clustering.options.top], clustering.options.folders
    taken = () if how == folders.RANK else folders.taken_in(ledgers)
    names = folders.names_of(named, how, taken)
    laid = lay_out(clustering, names, ledgers, handling.link)
    content = to_json(describe(clustering, ids, names, laid.files), indent=2) + b"\n"
    entry, _ = Part(ledgers, PART).write(
        cluster_list.FILE, digest_value(content.decode()), lambda: content
    )
    restored = ledgers.restored()
    removed += ledgers.commit({PART: [*laid.entries, entry]})
    refuse_missing(bucket, [*laid.entries, entry])
    files = {path.rpartition("/")[2] for path in (e.path for e in laid.entries)}
    gone = sorted({p for p in removed if p.rpartition("/")[2] not in files})
    if laid.left_out:
        laid.said.append(f"{len(laid.left_out)} images could not be laid out")
    laid.said += of_files(bucket, gone, restored)
    by_hand = adoption.unfollowed(by_hand, clustering)
    deeds.keep(bucket, by_hand)
    laid.said += adoption.sentences(by_hand, bucket, {e.path for e in laid.entries})
    return laid


def lay_out(
    clustering: Clustering, names: list[str], ledgers: Ledgers, link: str
) -> Layout:
    """Bring every image and its sidecar into its folder.

    Args:
        clustering: What was found.
        names: The folders of the largest clusters; the others get none.
        ledgers: Those of the bucket.
        link: A key of `links.LINKERS`.

    Raises:
        SystemExit: Images changed in the meantime; all others are laid out.
    """
    grouping = clustering.grouping
    groups = zip(names, grouping.groups, strict=False)
    placed = [(folder, i) for folder, g in groups for i in g.members.tolist()]
    placed += [(cluster_list.NOISE, i) for i in grouping.noise.tolist()]
    placed += [(cluster_list.REJECTED, i) for i in clustering.known.rejected]
    rows = clustering.rows
    places = [(i, f"{folder}/{name_of(rows[i])}", rows[i]) for folder, i in placed]
    return bring("cluster", places, ledgers, link)


def name_of(row: Row) -> str:
    """The name of an image's file, which no other image of the source has."""
    return f"{row['stem']}{PurePosixPath(row['path']).suffix}"


def bring(
    rule: str, places: list[tuple[int, str, Row]], ledgers: Ledgers, link: str
) -> Layout:
    """Bring every image and its sidecar to its place.

    Args:
        rule: Names the job.
        places: Of each image its number, its path in the bucket, and its {path, digest,
            sidecar}.
        ledgers: Those of the bucket.
        link: A key of `links.LINKERS`.

    Raises:
        SystemExit: Images changed in the meantime; all others are there.
    """
    part, laid = Part(ledgers, PART), Layout()
    progress = Progress(rule, PART, len(places))
    changed: list[str] = []
    for i, name, row in places:
        sidecar = _sidecar_of(row)
        try:
            entry, written = _place(part, name, row, sidecar, link)
        except verified_read.Changed:
            changed.append(row["path"])
            continue
        except (ForeignFile, sidecars.BrokenSidecar, links.LinkRefused) as error:
            laid.left_out.append(failure(row["path"], error))
            log.warning("%(path)s: %(reason)s", laid.left_out[-1])
            progress.tick(failed=True)
            continue
        laid.entries.append(entry)
        keys = unsigned(sidecar)
        laid.files[i] = {"file": name, "digest": row["digest"]}
        laid.files[i] |= {"keys": keys} if keys else {}
        progress.tick(computed=written)
    progress.tell()
    verified_read.refuse(changed, ledgers.settled.parent)
    return laid


def check_links(rows: list[Row], bucket: str, link: str) -> None:
    """Refuse links that the file system cannot make, of the first image of each folder.

    Args:
        rows: All images.
        bucket: The folder that they would be laid out in.
        link: A key of `links.LINKERS`.

    Raises:
        SystemExit: One cannot be made; nothing was changed.
    """
    if link == "copy":
        return
    for path in {row["path"].rpartition("/")[0]: row["path"] for row in rows}.values():
        with temporary(Path(bucket, "x")) as new, suppress(*verified_read.GONE):
            try:
                links.LINKERS[link](path, new)
            except links.LinkRefused as error:
                if getattr(error.__cause__, "errno", None) == errno.EMLINK:
                    continue  # of this image alone
                raise SystemExit(f"{path!r} {error}. Nothing was changed.") from error


def _sidecar_of(row: Row) -> dict[str, Any]:
    """The sidecar of an image; {} of one that cannot be read."""
    try:
        return photo_keys.read(row["path"])
    except sidecars.BrokenSidecar as error:
        log.warning("%s; the image is laid out without it", error)
        return {}


def _place(
    part: Part, name: str, row: Row, sidecar: dict[str, Any], link: str
) -> tuple[Entry, bool]:
    # The path, as a link to it is another when the image moves.
    key = digest_value([row["digest"], row["sidecar"], row["path"], link])
    fill = functools.partial(_fill, row, link)
    shows = subjects.of_provenance(sidecar.get("provenance")) or row["digest"]
    return part.write_with(name, key, fill, sidecar, shows)


def _fill(row: Row, link: str, new: Path) -> None:
    """Make what is laid out of an image under a name. Raises Changed, LinkRefused."""
    try:
        links.LINKERS[link](row["path"], new)
        unchanged = digest_file(new) == row["digest"]
    except verified_read.GONE:
        unchanged = False
    if not unchanged:
        raise verified_read.Changed(row["path"])
