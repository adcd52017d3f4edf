"""Results of another program in a target, noticed before ours are put among them.

github.com/ucodia/dtst writes into folders of the same names: crops ``photo.jpg`` or
``photo_01.jpg``, folders ``000`` with a ``clusters.json`` of its own.
"""

import os
import re
from pathlib import Path

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.scan import parse_specs, scan
from dtst_flow.imaging.decode import SUFFIXES
from dtst_flow.utils.files import NotRegular, open_regular

OURS = b'"parameters"'
"""Stands at the beginning of every clusters.json that we write."""

NUMBERED = re.compile(r"_\d{2,}$")
"""The end of the name of each of our crops of faces, without its suffix."""

FOLDER = re.compile(r"\d{3,}|noise")
"""A folder of a clustering."""


def foreign_clusters(bucket: Path, state: Path) -> str | None:
    """Say why no clusters can be put into a bucket: another program's are in it.

    Args:
        bucket: The folder with the clusters.
        state: The folder with the bucket's ledgers.

    Returns:
        A sentence, None where nothing is in the way.
    """
    path = bucket / "clusters.json"
    if _is_ours(path) is not False or path.name in Ledgers(bucket, state).paths():
        return None
    return (
        f"{path} is of another program, and its clusters are not to mix with these: "
        f"choose another --to, or move {bucket} away"
    )


def _is_ours(path: Path) -> bool | None:
    """Tell whether a clusters.json is as we write it; None where there is none."""
    try:
        with open_regular(path) as file:
            return OURS in file.read(100)
    except NotRegular:
        return False
    except OSError:
        return None


def foreign_folders(bucket: Path, state: Path) -> str | None:
    """Say that numbered folders are in a bucket into which we never put any.

    Args:
        bucket: The folder with the clusters.
        state: The folder with the bucket's ledgers.
    """
    known = _is_ours(bucket / "clusters.json") or Ledgers(bucket, state).parts()
    if known or not bucket.is_dir():
        return None
    names = sorted(n for n in os.listdir(bucket) if FOLDER.fullmatch(n))
    if not names:
        return None
    return (
        f"{bucket} has folders of another program, such as {names[0]}: what is in them "
        "stays beside what is put there now; another --to keeps the two apart"
    )


def foreign_crops(
    dataset: Path, bucket: str, state: Path, source: str | list[str], numbered: bool
) -> str | None:
    """Say that crops of another program are in a bucket, of the photos that get ours.

    Args:
        dataset: The dataset folder.
        bucket: The folder with the crops, relative to it.
        state: The folder with the bucket's ledgers.
        source: Where the photos are.
        numbered: Whether each of our crops has a number at the end of its name.

    Returns:
        A sentence, None where there are none.
    """
    folder = dataset / bucket
    ledgers = Ledgers(folder, state)
    suspects = _images(folder)
    if ledgers.parts():  # a look at the names has to do, as a ledger may be long
        suspects = [n for n in suspects if numbered and not NUMBERED.search(_stem(n))]
    owned = ledgers.paths() if suspects else set()
    suspects = [n for n in suspects if n not in owned and not _is_signed(folder / n)]
    if not suspects:
        return None
    try:
        photos = {
            _stem(p.rpartition("/")[2]): p
            for p in scan(dataset, parse_specs(source, dataset)).images
        }
    except BadBucket:  # told where the sources are looked at
        return None
    crops = [(name, photo) for name in suspects if (photo := _photo_of(name, photos))]
    if not crops:
        return None
    name, photo = crops[0]
    return (
        f"{folder} has {len(crops)} crops of these photos that another program made, "
        f"such as {name} of {photo}: together with those made now, each is there twice; "
        "choose another --to, or move them away"
    )


def _images(folder: Path) -> list[str]:
    """The names of the images in a folder, sorted; none where it cannot be listed."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(n for n in names if os.path.splitext(n)[1].lower() in SUFFIXES)


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _is_signed(image: Path) -> bool:
    """Tell whether a sidecar says that a crop is ours, as where the ledger was lost."""
    try:
        return "provenance" in sidecars.read(image)
    except sidecars.BrokenSidecar:
        return False


def _photo_of(crop: str, photos: dict[str, str]) -> str | None:
    """The photo whose name, alone or followed by ``_…``, a crop has."""
    words = _stem(crop).split("_")
    names = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return next((photos[name] for name in names if name in photos), None)
