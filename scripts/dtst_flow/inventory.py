"""Inventory: which images a bucket holds, split into shards.

A bucket is named by specs: a folder means the files in it, ``images/*`` the
loose files in ``images`` and the files of its subfolders, ``**`` any depth.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from dtst_flow import sidecars
from dtst_flow.files import (
    digest,
    digest_file,
    digest_value,
    read_table,
    write_table,
)
from dtst_flow.images import SUFFIXES


class BadBucket(Exception):
    """A bucket spec that cannot be used; the message says why and what would do."""


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
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def scan(dataset: str | Path, specs: Iterable[str]) -> Listing:
    """List the files of a bucket.

    Hidden files and folders are passed over. A link to a file counts as a file; a
    linked folder is entered when a spec names or matches it, never by ``**``, so a
    link to a parent folder ends nowhere.

    Raises BadBucket when a spec leaves the dataset or matches nothing.
    """
    dataset = Path(dataset)
    listing = Listing()
    for spec in specs:
        if PurePosixPath(spec).is_absolute() or ".." in PurePosixPath(spec).parts:
            raise BadBucket(
                f"bucket '{spec}' lies outside the dataset folder; "
                "name it relative to that folder, or link it in there"
            )
        found = False
        for path in _matches(dataset, spec):
            found = True
            if path.is_dir():
                for entry in sorted(os.scandir(path), key=lambda e: e.name):
                    if not entry.name.startswith(".") and not entry.is_dir():
                        _take(dataset, Path(entry.path), listing)
            else:
                _take(dataset, path, listing)
        if not found:
            raise BadBucket(f"nothing matches '{spec}'; {_what_is_there(dataset)}")
    _drop_stray_json(listing)
    return listing


def _matches(base: Path, spec: str) -> Iterator[Path]:
    """Yield the files and folders that a spec means, folders not yet opened."""
    if (base / spec).exists():  # also a name that merely looks like a pattern
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
        elif fnmatchcase(entry.name, head):
            yield from _walk(Path(entry.path), rest)


def _take(dataset: Path, path: Path, listing: Listing) -> None:
    name = path.relative_to(dataset).as_posix()
    try:
        stat = path.stat()
    except OSError as error:
        listing.skipped[name] = f"cannot be opened: {error.strerror}"
        return
    if _is_image(name) or name.endswith(".json"):
        listing.files[name] = (stat.st_size, stat.st_mtime_ns)
    else:
        listing.skipped[name] = f"not an image type ({path.suffix or 'no suffix'})"


def _drop_stray_json(listing: Listing) -> None:
    """A .json file is a sidecar only where its image is in the bucket, too."""
    for path in [p for p in listing.files if p.endswith(".json")]:
        if path.removesuffix(".json") not in listing.files:
            del listing.files[path]
            listing.skipped[path] = "a .json file that belongs to no image here"


def _what_is_there(dataset: Path) -> str:
    if not dataset.is_dir():
        return f"there is no dataset folder {dataset}"
    folders = sorted(
        e.name for e in os.scandir(dataset) if e.is_dir() and e.name[0] != "."
    )
    if not folders:
        return f"{dataset.resolve()} has no folders yet"
    return f"folders in {dataset.resolve()}: {', '.join(folders)}"


def parse_specs(text: str | list[str], dataset: str | Path = ".") -> list[str]:
    """Split a comma list of specs; a folder whose own name has a comma stays whole."""
    if not isinstance(text, str):
        return list(text)
    if (Path(dataset) / text).exists():
        return [text]
    return [part.strip().rstrip("/") for part in text.split(",") if part.strip()]


def check_apart(specs: Iterable[str], to: str) -> None:
    """Refuse a target that equals, holds or lies inside a source. Raises BadBucket."""
    target = PurePosixPath(to)
    if target.is_absolute() or ".." in target.parts or to.strip() in ("", "."):
        raise BadBucket(
            f"--to '{to}' must name a folder below the dataset folder, such as 'faces'"
        )
    if target.parts[0].startswith("."):
        raise BadBucket(f"--to '{to}': hidden folders are passed over; choose a name")
    for spec in specs:
        if _overlap(PurePosixPath(spec).parts, target.parts):
            raise BadBucket(
                f"--to '{to}' and --from '{spec}' overlap: results would be read back "
                "as input; choose a folder beside the sources"
            )


def _overlap(spec: tuple[str, ...], target: tuple[str, ...]) -> bool:
    """Whether what a spec matches may equal, hold or lie inside the target."""
    for part, name in zip(spec, target, strict=False):
        if part == "**":
            return True
        if part != name and not fnmatchcase(name, part):
            return False
    return True


def fingerprint(listing: Listing, ignore: frozenset[str] = frozenset()) -> str:
    """Digest of a listing: changes when a file comes, goes or is written.

    ignore  paths that do not count
    """
    files = sorted(listing.files.items())
    return digest_value([(p, *stat) for p, stat in files if p not in ignore])


def digests(
    dataset: str | Path, files: dict[str, tuple[int, int]], cache: str | Path
) -> dict[str, str]:
    """Content digest of every readable file, reading only those of new size or mtime.

    cache  table of the last call's results, replaced
    """
    known = {}
    if Path(cache).exists():
        known = {row["path"]: row for row in read_table(cache)}

    def row(path: str) -> dict:
        size, mtime = files[path]
        old = known.get(path)
        if old and (old["size"], old["mtime"]) == (size, mtime):
            return old
        try:
            content = digest_file(Path(dataset) / path)
        except OSError:
            return None
        return {"path": path, "size": size, "mtime": mtime, "digest": content}

    with ThreadPoolExecutor() as threads:
        rows = [r for r in threads.map(row, sorted(files), chunksize=64) if r]
    write_table(cache, rows)
    return {row["path"]: row["digest"] for row in rows}


def unique_stems(paths: Iterable[str]) -> dict[str, str]:
    """Give each image a stem that no other has, from its name and, where need be, folders.

    ``a/x.jpg`` and ``b/x.jpg`` become ``a_x`` and ``b_x``; images alone with their name
    keep it. Compared without regard to case, as some file systems do. Depends on the set
    of paths only. Names that no folder tells apart get a digest of their path.
    """
    paths = sorted(paths)
    depth = dict.fromkeys(paths, 1)
    while True:
        groups = defaultdict(list)
        for path in paths:
            groups[_stem(path, depth[path]).casefold()].append(path)
        deeper = [
            path
            for group in groups.values()
            if len(group) > 1
            for path in group
            if depth[path] <= path.count("/") + 1
        ]
        if not deeper:
            break
        for path in deeper:
            depth[path] += 1
    return {
        path: _stem(path, depth[path])
        + (f"-{digest(os.fsencode(path))[:8]}" if len(group) > 1 else "")
        for group in groups.values()
        for path in group
    }


def _stem(path: str, depth: int) -> str:
    """The last `depth` parts of a path as one name; past the first folder, suffix too."""
    parts = PurePosixPath(path).parts
    if depth > len(parts):
        return "_".join(parts)
    return "_".join((*parts[-depth:-1], PurePosixPath(path).stem))


def split(paths: Iterable[str], shard_size: int) -> dict[str, list[str]]:
    """Split paths into shards of at most `shard_size` by the bits of a hash of each path.

    A shard that grows too large falls in two by the next bit and leaves all others as
    they are. Returns shard name (``s`` and the bits) -> sorted paths.
    """

    def fall(prefix: str, hashed: list[tuple[str, str]]) -> Iterator[tuple]:
        if len(hashed) <= shard_size:
            yield f"s{prefix}", sorted(path for _, path in hashed)
            return
        at = len(prefix)
        for bit in "01":
            yield from fall(prefix + bit, [h for h in hashed if h[0][at] == bit])

    bits = [(f"{int(digest(os.fsencode(p)), 16):0128b}", p) for p in paths]
    return {name: members for name, members in fall("", bits) if members}


def write(
    dataset: str | Path,
    specs: list[str],
    folder: str | Path,
    cache: str | Path,
    shard_size: int,
) -> Listing:
    """Scan a bucket and write a manifest per shard, plus ``skipped`` with reasons.

    A manifest is a table of `path` (relative to the dataset), `digest` of the content,
    `stem` (unique in the bucket) and `sidecar` (its digest, None without one).
    """
    listing = scan(dataset, specs)
    content = digests(dataset, listing.files, cache)
    for path in set(listing.files) - set(content):
        del listing.files[path]
        listing.skipped[path] = "cannot be read"
    stems = unique_stems(listing.images)
    for shard, paths in split(listing.images, shard_size).items():
        rows = (
            {
                "path": path,
                "digest": content[path],
                "stem": stems[path],
                "sidecar": content.get(str(sidecars.path_of(path))),
            }
            for path in paths
        )
        write_table(Path(folder) / f"{shard}.jsonl", rows)
    skipped = sorted(listing.skipped.items())
    write_table(
        Path(folder) / "skipped.table",
        ({"path": path, "reason": reason} for path, reason in skipped),
    )
    return listing


def shards(folder: str | Path) -> list[str]:
    """The names of the shards whose manifests lie in a folder."""
    names = (re.fullmatch(r"(s[01]*)\.jsonl", name) for name in os.listdir(folder))
    return sorted(match[1] for match in names if match)
