"""Scanning: which files the folders hold that bucket specs name.

A bucket is named by specs: a folder means the files in it, ``images/*`` the
loose files in ``images`` and the files of its subfolders, ``**`` any depth.
"""

import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import BadBucket, check_target, is_relative
from dtst_flow.imaging.decode import SUFFIXES


@dataclass
class Listing:
    """What a scan of a bucket met.

    files    path relative to the dataset -> (size in bytes, mtime in ns), images and
             sidecars both
    skipped  path -> why it is no image of the bucket
    """

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def images(self) -> list[str]:
        """The images' paths, sorted."""
        return sorted(path for path in self.files if _is_image(path))


def _is_image(path: str) -> bool:
    return _suffix(path).lower() in SUFFIXES


def _suffix(path: str) -> str:
    """As pathlib has it, which would take seconds for a million paths."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""


def scan(
    dataset: str | Path,
    specs: Iterable[str],
    max_file_size: float = math.inf,
    to: str | None = None,
) -> Listing:
    """List the files of a bucket.

    Hidden files and folders are passed over. A link to a file counts as a file; a
    linked folder is entered when a spec names or matches it, never by ``**``, so a
    link to a parent folder ends nowhere.

    max_file_size  an image of more megabytes is passed over
    to             a target that no folder of the bucket may lead to or into, be it by
                   links

    Raises BadBucket when a spec leaves the dataset, matches nothing, or leads to `to`.
    """
    dataset = Path(dataset)
    target = to and os.path.realpath(dataset / to)
    listing = Listing()
    for spec in specs:
        if not is_relative(spec):
            raise BadBucket(
                f"bucket {spec!r} lies outside the dataset folder; "
                "name it relative to that folder, or link it in there"
            )
        found = False
        for path in _matches(dataset, spec):
            found = True
            if path.is_dir():
                if target and Path(os.path.realpath(path)).is_relative_to(target):
                    raise _overlap_of(spec, to, path.relative_to(dataset).as_posix())
                _take_all(dataset, path, listing)
            else:
                _take(dataset, path, listing)
                if os.path.isfile(sidecar := sidecars.path_of(path)):
                    _take(dataset, sidecar, listing)
        if not found:
            raise BadBucket(f"nothing matches {spec!r}; {_what_is_there(dataset)}")
    _drop_large(listing, max_file_size)
    _drop_stray_json(listing)
    return listing


def _matches(base: Path, spec: str) -> Iterator[Path]:
    """Yield the files and folders that a spec means, folders not yet opened."""
    if os.path.exists(base / spec):  # also a name that merely looks like a pattern
        yield base / spec
        return
    yield from _walk(base, PurePosixPath(spec).parts)


def _walk(base: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    if not parts:
        yield base
        return
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield from _walk(base, rest)
    try:
        entries = sorted(os.scandir(base), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if head == "**":
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), parts)
        elif _fits(entry.name, head):
            yield from _walk(Path(entry.path), rest)


def _fits(name: str, pattern: str) -> bool:
    """Whether a name matches, or is itself what merely looks like a pattern."""
    return name == pattern or fnmatchcase(name, pattern)


def _take_all(dataset: Path, folder: Path, listing: Listing) -> None:
    name = folder.relative_to(dataset).as_posix()
    try:
        entries = os.scandir(folder)
    except OSError as error:
        listing.skipped[name] = f"cannot be opened: {error.strerror}"
        return
    start = "" if name == "." else f"{name}/"
    with entries:
        for entry in entries:
            if not entry.name.startswith("."):
                _note(entry.stat, start + entry.name, listing)


def _take(dataset: Path, path: Path, listing: Listing) -> None:
    _note(path.stat, path.relative_to(dataset).as_posix(), listing)


def _note(look: Callable[[], os.stat_result], name: str, listing: Listing) -> None:
    """Note a file by its path relative to the dataset."""
    try:
        found = look()
    except OSError as error:
        listing.skipped[name] = f"cannot be opened: {error.strerror}"
        return
    if stat.S_ISDIR(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        listing.skipped[name] = "not a regular file"
    elif _is_image(name) or name.endswith(".json"):
        listing.files[name] = (found.st_size, found.st_mtime_ns)
    else:
        listing.skipped[name] = f"not an image type ({_suffix(name) or 'no suffix'})"


def _drop_large(listing: Listing, max_file_size: float) -> None:
    large = [
        path
        for path, (size, _) in listing.files.items()
        if size / 1e6 > max_file_size and _is_image(path)
    ]
    for path in large:
        size = listing.files.pop(path)[0] / 1e6
        listing.skipped[path] = (
            f"has {size:.3f} MB, more than --max-file-size {max_file_size:g}"
        )


def _drop_stray_json(listing: Listing) -> None:
    """A .json file is a sidecar only where its image is in the bucket, too."""
    for path in [p for p in listing.files if p.endswith(".json")]:
        image = path.removesuffix(".json")
        if image not in listing.files or not _is_image(image):
            del listing.files[path]
            listing.skipped[path] = "a .json file that belongs to no image here"


def _what_is_there(dataset: Path) -> str:
    if not dataset.is_dir():
        return f"there is no dataset folder {dataset}"
    folders = sorted(
        e.name for e in os.scandir(dataset) if os.path.isdir(e) and e.name[0] != "."
    )
    if not folders:
        return f"{dataset.resolve()} has no folders yet"
    return f"folders in {dataset.resolve()}: {', '.join(folders)}"


def parse_specs(text: str | list[str], dataset: str | Path = ".") -> list[str]:
    """Split a comma list of specs; a folder whose own name has a comma stays whole.

    Raises BadBucket when none is left.
    """
    # A list of names may be longer than any name: os.path does not mind.
    if isinstance(text, str) and not os.path.exists(Path(dataset) / text.strip()):
        text = text.split(",")
    elif isinstance(text, str):
        text = [text]
    specs = [part.strip().rstrip("/") for part in text if part.strip()]
    if not specs:
        raise BadBucket("no source is named; say --from 'images/*' or another folder")
    return specs


def check_apart(specs: Iterable[str], to: str) -> None:
    """Refuse a target that equals, holds or lies inside a source. Raises BadBucket."""
    check_target(to)
    target = PurePosixPath(to)
    for spec in specs:
        if _overlap(PurePosixPath(spec).parts, target.parts):
            raise _overlap_of(spec, to)


def _overlap_of(spec: str, to: str, link: str | None = None) -> BadBucket:
    how = f" ('{link}' leads there)" if link else ""
    return BadBucket(
        f"--to '{to}' and --from '{spec}' overlap{how}: results would be read back as "
        "input; choose a folder beside the sources"
    )


def _overlap(spec: tuple[str, ...], target: tuple[str, ...]) -> bool:
    """Whether what a spec matches may equal, hold or lie inside the target."""
    for part, name in zip(spec, target, strict=False):
        if part == "**":
            return True
        if not _fits(name, part):
            return False
    return True


def fingerprint(listing: Listing, ignore: frozenset[str] = frozenset()) -> str:
    """Digest of a listing: changes when a file comes, goes or is written.

    ignore  paths that do not count
    """
    # File by file, as a JSON value of a million takes as much memory as the listing.
    total = hashlib.blake2b(digest_size=16)
    for path in sorted(listing.files):
        if path not in ignore:
            size, time = listing.files[path]
            total.update(os.fsencode(f"{path}\0{size}\0{time}\0"))
    return total.hexdigest()
