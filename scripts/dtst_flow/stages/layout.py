"""Laying clusters out as folders: every image in one, its sidecar beside it."""

from __future__ import annotations

import errno
import functools
import logging
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dtst_flow.dataset import photo_keys, sidecars
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import ForeignFile, Part
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.failures import failure
from dtst_flow.runtime.progress import Progress
from dtst_flow.stages.contract import Row
from dtst_flow.utils import links
from dtst_flow.utils.files import digest_file, digest_value, temporary

if TYPE_CHECKING:
    from dtst_flow.cluster.groups import Group

log = logging.getLogger(__name__)


def lay_out(
    rows: list[Row],
    groups: list[Group],
    noise: NDArray[np.intp],
    ledgers: Ledgers,
    link: str,
) -> tuple[list[Entry], list[Row]]:
    """Bring every image and its sidecar into its folder.

    Args:
        rows: All images.
        groups: Those to lay out.
        noise: The rows that are in no cluster.
        ledgers: Those of the bucket.
        link: A key of `links.LINKERS`.

    Returns:
        The ledger rows, and a `failure` of every image that could not go there.

    Raises:
        SystemExit: Images changed in the meantime; all others are laid out.
    """
    part = Part(ledgers, "all")
    places = [(f"{rank:03d}", i) for rank, g in enumerate(groups) for i in g.members]
    places += [("noise", i) for i in noise]
    progress = Progress("cluster", "all", len(places))
    placed: list[Entry] = []
    left_out: list[Row] = []
    changed: list[str] = []
    for folder, i in places:
        row = rows[i]
        name = f"{folder}/{row['stem']}{PurePosixPath(row['path']).suffix}"
        try:
            entry, written = _place(part, name, row, link)
        except verified_read.Changed:
            changed.append(row["path"])
            continue
        except (ForeignFile, sidecars.BrokenSidecar, links.LinkRefused) as error:
            left_out.append(failure(row["path"], error))
            log.warning("%(path)s: %(reason)s", left_out[-1])
            progress.tick(failed=True)
            continue
        placed.append(entry)
        progress.tick(computed=written)
    progress.tell()
    verified_read.refuse(changed, ledgers.settled.parent)
    return placed, left_out


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


def _place(part: Part, name: str, row: Row, link: str) -> tuple[Entry, bool]:
    try:
        sidecar = photo_keys.read(row["path"])
    except sidecars.BrokenSidecar as error:
        log.warning("%s; the image is laid out without it", error)
        sidecar = {}
    # The path, as a link to it is another when the image moves.
    key = digest_value([row["digest"], row["sidecar"], row["path"], link])
    fill = functools.partial(_fill, row, link)
    return part.write_with(name, key, fill, sidecar)


def _fill(row: Row, link: str, new: Path) -> None:
    """Make what is laid out of an image under a name. Raises Changed, LinkRefused."""
    try:
        links.LINKERS[link](row["path"], new)
        unchanged = digest_file(new) == row["digest"]
    except verified_read.GONE:
        unchanged = False
    if not unchanged:
        raise verified_read.Changed(row["path"])
