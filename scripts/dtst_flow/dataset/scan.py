"""Scan: which files are in the folders that bucket specs name.

Specs name a bucket: a folder means the files in it, ``images/*`` the loose files in
``images`` and the files of its subfolders, ``**`` folders of any depth; ``.`` means the
loose files of the dataset folder itself.
"""

import hashlib
import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from dtst_flow.dataset import photo_keys, unopened
from dtst_flow.dataset.bucket_specs import HERE, fits, overlap_of
from dtst_flow.dataset.containment import BadBucket, is_relative
from dtst_flow.dataset.image_names import IMAGES, Kind, is_system, why_not
from dtst_flow.dataset.whereabouts import what_is_there

OF_A_SYSTEM = "a system's or NAS box's own, no photos"

LINKED = "a linked folder, which ** does not enter; name it in --from"
"""Why a folder is skipped that a pattern of any depth came by."""


class FileStat(NamedTuple):
    """What tells that a file was written: size in bytes, times in ns since 1970."""

    size: int
    mtime: int
    inode: int
    ctime: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStat":
        """Take what counts of all that the system tells."""
        times = status.st_mtime_ns, status.st_ino, status.st_ctime_ns
        return cls(status.st_size, *times)


@dataclass
class Listing:
    """What a scan of a bucket found.

    Attributes:
        files: Each image, and each JSON file beside it, by its path relative to the
            dataset.
        skipped: Why a file or folder is no image of the bucket, by its path.
        kind: What was looked for and here is called image.
    """

    files: dict[str, FileStat] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    kind: Kind = IMAGES

    @property
    def images(self) -> list[str]:
        """The images' paths, sorted."""
        return sorted(path for path in self.files if not path.endswith(".json"))


def scan(
    dataset: str | Path,
    specs: Iterable[str],
    max_file_size: float = math.inf,
    to: str | None = None,
    kind: Kind = IMAGES,
) -> Listing:
    """List the files of a bucket.

    Hidden files and folders are skipped. A link to a file counts as a file. A linked
    folder is entered if a spec names or matches it, but never by ``**``, so that a link
    to a parent folder does no harm; it is listed then.

    Args:
        dataset: The dataset folder.
        specs: The specs of the bucket.
        max_file_size: An image of more megabytes is skipped.
        to: A target that no folder of the bucket may lead to or into, not even by links.
        kind: What to look for.

    Returns:
        The files, and what was skipped.

    Raises:
        BadBucket: A spec leaves the dataset, matches nothing, or leads to `to`.
        unopened.Unopened: A folder cannot be opened.
    """
    dataset = Path(dataset)
    target = Path(os.path.realpath(dataset / to)) if to else None
    listing = Listing(kind=kind)
    entered: set[str] = set()
    for spec in specs:
        _check_inside(spec)
        matched = False
        for path in _matches(dataset, spec, listing):
            matched = True
            if os.path.isdir(path):
                name = path.relative_to(dataset).as_posix()
                if to and target and _is_below(path, target):
                    raise overlap_of(spec, to, name)
                _take_all(dataset, path, listing)
                entered.add(name)
            else:
                _take(dataset, path, listing)
                for about in photo_keys.beside(path):
                    _take(dataset, about, listing)
        if not matched:
            raise BadBucket(f"nothing matches {spec!r}; {what_is_there(dataset, kind)}")
    for name in listing.skipped.keys() & entered:
        if listing.skipped[name] == LINKED:  # by one spec, and entered by another
            del listing.skipped[name]
    _drop_large(listing, max_file_size)
    _drop_stray_json(listing)
    return listing


def _check_inside(spec: str) -> None:
    if spec != HERE and not is_relative(spec):
        raise BadBucket(
            f"bucket {spec!r} lies outside the dataset folder; "
            "name it relative to that folder, or link it in there"
        )


def _is_below(path: Path, target: Path) -> bool:
    """Tell whether a path leads to a folder or into it; the folder is a real path."""
    return Path(os.path.realpath(path)).is_relative_to(target)


def _matches(dataset: Path, spec: str, listing: Listing) -> Iterator[Path]:
    """Yield the files and folders that a spec means; the folders are not opened.

    What is passed over on the way is listed.
    """
    if os.path.exists(dataset / spec):  # even if its name looks like a pattern
        yield dataset / spec
        return
    yield from _walk(dataset, PurePosixPath(spec).parts, dataset, listing)


def _walk(
    base: Path, parts: tuple[str, ...], dataset: Path, listing: Listing
) -> Iterator[Path]:
    # Not recursive, as a stranger's folders may be nested deeper than Python's calls.
    at_hand = [iter([(base, parts)])]
    while at_hand:
        step = next(at_hand[-1], None)
        if step is None:
            at_hand.pop()
        elif step[1]:
            at_hand.append(_below(*step, dataset, listing))
        else:
            yield step[0]


def _below(
    base: Path, parts: tuple[str, ...], dataset: Path, listing: Listing
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield what the first part matches, with the parts that are left."""
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield base, rest
    try:
        entries = sorted(os.scandir(base), key=lambda entry: entry.name)
    except OSError as error:
        if error.errno not in unopened.ABSENT:
            yield base, ()  # whoever opens it tells why it cannot be
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if is_system(entry.name) and entry.name != head:
            if head == "**" or fits(entry.name, head):
                listing.skipped[path.relative_to(dataset).as_posix()] = OF_A_SYSTEM
        elif head == "**":
            if entry.is_dir(follow_symlinks=False):
                yield path, parts
            elif path.is_dir():
                listing.skipped[path.relative_to(dataset).as_posix()] = LINKED
        elif fits(entry.name, head):
            yield path, rest


def _take_all(dataset: Path, folder: Path, listing: Listing) -> None:
    name = folder.relative_to(dataset).as_posix()
    start = "" if name == "." else f"{name}/"
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    _add(entry, start + entry.name, listing)
    except OSError as error:
        listing.skipped[name] = unopened.reason(folder, name, error)


def _take(dataset: Path, path: Path, listing: Listing) -> None:
    _add(path, path.relative_to(dataset).as_posix(), listing)


def _add(file: Path | os.DirEntry[str], name: str, listing: Listing) -> None:
    """Add a file to a listing by its path relative to the dataset."""
    try:
        status = file.stat()
    except OSError as error:
        listing.skipped[name] = unopened.reason(file, name, error)
        return
    if stat.S_ISDIR(status.st_mode):
        return
    if is_system(file.name):
        listing.skipped[name] = OF_A_SYSTEM
        return
    if not stat.S_ISREG(status.st_mode):
        listing.skipped[name] = "not a regular file"
    elif listing.kind.has(name) or name.endswith(".json"):
        listing.files[name] = FileStat.of(status)
    else:
        listing.skipped[name] = why_not(name, listing.kind)


def _drop_large(listing: Listing, max_file_size: float) -> None:
    large = [
        path
        for path, file in listing.files.items()
        if file.size / 1e6 > max_file_size and listing.kind.has(path)
    ]
    for path in large:
        size = listing.files.pop(path).size / 1e6
        listing.skipped[path] = (
            f"has {size:.3f} MB, more than --max-file-size {max_file_size:g}"
        )


def _drop_stray_json(listing: Listing) -> None:
    for path in photo_keys.strays(listing.files):
        del listing.files[path]
        listing.skipped[path] = (
            f"a .json file that belongs to no {listing.kind.singular} here"
        )


def fingerprint(
    listing: Listing,
    ignore: frozenset[str] = frozenset(),
    edited: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Digest a listing: the digest changes if a file comes, goes or is written.

    Args:
        listing: What a scan found.
        ignore: Paths that do not count.
        edited: Digests of files of which size and time do not tell that they were written.
    """
    # File by file, as a JSON value of a million files takes as much memory as the listing.
    total = hashlib.blake2b(digest_size=16)
    for path in sorted(listing.files):
        if path not in ignore:
            size, time, *_ = listing.files[path]
            total.update(os.fsencode(f"{path}\0{size}\0{time}\0"))
            if path in edited:
                total.update(edited[path].encode())
    return total.hexdigest()
