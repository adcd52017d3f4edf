"""Results of another program in a target, noticed before ours are put among them.

github.com/ucodia/dtst writes into folders of the same names: crops ``photo.jpg`` or
``photo_01.jpg``, folders ``000`` with a ``clusters.json`` of its own.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from dtst_flow.dataset import cluster_list
from dtst_flow.dataset.image_names import is_image
from dtst_flow.dataset.ledger import Ledgers

NUMBERED = re.compile(r"_\d{2,}(\.[^.]*)?$")
"""The end of the name of each of our crops of faces."""


def foreign_clusters(bucket: Path, state: Path) -> str | None:
    """Say why no clusters can be put into a bucket: another program's are in it.

    Args:
        bucket: The folder with the clusters.
        state: The folder with the bucket's ledgers.

    Returns:
        A sentence, None where nothing is in the way.
    """
    path, ledgers = bucket / cluster_list.FILE, Ledgers(bucket, state)
    if (
        not os.path.lexists(path)
        or path.name in ledgers.paths()
        or cluster_list.read(path)
    ):
        return None
    return (
        f"{path} is of another program, and its clusters are not to mix with these: "
        f"choose another --to, or move {bucket} away"
    )


def foreign_folders(bucket: Path, state: Path) -> str | None:
    """Say that numbered folders are in a bucket into which we never put any.

    Args:
        bucket: The folder with the clusters.
        state: The folder with the bucket's ledgers.
    """
    if (
        not bucket.is_dir()
        or Ledgers(bucket, state).parts()
        or cluster_list.read(bucket / cluster_list.FILE)
    ):
        return None
    names = sorted(filter(cluster_list.FOLDER.fullmatch, os.listdir(bucket)))
    if not names:
        return None
    return (
        f"{bucket} has folders of another program, such as {names[0]}: what is in them "
        "stays beside what is put there now; another --to keeps the two apart"
    )


def suspects(ledgers: Ledgers, numbered: bool) -> list[str]:
    """Return the images in a bucket that are not known to be our crops, sorted.

    Args:
        ledgers: Those of the bucket.
        numbered: Whether each of our crops has a number at the end of its name.
    """
    names = [name for name in _files(ledgers.bucket) if not name.endswith(".json")]
    if ledgers.parts():  # a look at the names has to do, as a ledger may be long
        names = [n for n in names if numbered and not NUMBERED.search(n)]
    names = sorted(filter(is_image, names))
    owned = ledgers.paths() if names else set()
    return [n for n in names if n not in owned and not _is_signed(ledgers, n)]


def foreign_crops(
    bucket: Path,
    suspects: Iterable[str],
    photos: Iterable[str],
    what: str = "crops of these photos",
) -> str | None:
    """Say that crops of another program are in a bucket, of the photos that get ours.

    Args:
        bucket: The folder with the crops.
        suspects: The images in it that are not known to be ours.
        photos: Paths of the photos.
        what: What they are, in words.

    Returns:
        A sentence, None where there are none.
    """
    known = {_stem(path.rpartition("/")[2]): path for path in photos}
    crops = [(name, photo) for name in suspects if (photo := _photo_of(name, known))]
    if not crops:
        return None
    name, photo = crops[0]
    return (
        f"{bucket} has {len(crops)} {what} that another program made, "
        f"such as {name} of {photo}: together with those made now, each is there twice; "
        "choose another --to, or move them away"
    )


def _files(folder: Path) -> list[str]:
    """The names in a folder; none where it cannot be listed."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _is_signed(ledgers: Ledgers, name: str) -> bool:
    """Tell whether a crop says itself that it is ours, as where the ledger was lost."""
    evidence = ledgers.evidence
    return evidence is not None and evidence.row(name, None, lost=True) is not None


def _photo_of(crop: str, photos: dict[str, str]) -> str | None:
    """The photo whose name, alone or followed by ``_…``, a crop has."""
    words = _stem(crop).split("_")
    names = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return next((photos[name] for name in names if name in photos), None)
