"""Inventory: the images of a bucket, identified by their content, split into shards."""

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from dtst_flow.dataset import photo_keys
from dtst_flow.dataset.digests import digest_of, digests
from dtst_flow.dataset.image_names import IMAGES, KINDS
from dtst_flow.dataset.manifest import ManifestRow, write_manifest
from dtst_flow.dataset.scan import Listing, scan
from dtst_flow.dataset.stems import unique_stems
from dtst_flow.utils.files import digest, digest_value
from dtst_flow.utils.tables import (
    BrokenTable,
    count_rows,
    is_table,
    read_table,
    write_table,
)

BITS = 64
"""Of the hash of a path, by which shards are told apart."""

SHARDS = "shards.table"
"""Name of the list of all manifests, among them."""

Namer = Callable[[dict[str, str]], dict[str, str]]
"""Gives each image a stem that no other has: path -> digest in, path -> stem out."""

UNREADABLE = "cannot be read"
"""Why a file is skipped that the next run may be able to read, though it did not change."""

SKIPPED_COLUMNS = ("path", "reason")


def split(paths: Iterable[str], shard_size: int) -> dict[str, list[str]]:
    """Split paths into shards by the bits of a hash of each path.

    A shard that grows too large is split in two by the next bit, and all others stay as
    they are.

    Args:
        paths: The paths.
        shard_size: Most paths of a shard.

    Returns:
        The sorted paths of each shard by its name, ``s`` and the bits.
    """
    paths = sorted(paths)
    # As Python's own numbers and pairs, a million take several seconds to sort.
    numbers = (int(digest(os.fsencode(path))[: BITS // 4], 16) for path in paths)
    hashes = np.fromiter(numbers, np.uint64, len(paths))
    order = np.argsort(hashes)
    hashes = hashes[order]

    def divide(bits: str, low: int, high: int) -> Iterator[tuple[str, list[str]]]:
        if high - low <= shard_size or len(bits) == BITS:
            yield f"s{bits}", [paths[at] for at in np.sort(order[low:high])]
            return
        first = np.uint64(int(f"{bits}1".ljust(BITS, "0"), 2))  # with the next bit set
        middle = low + int(np.searchsorted(hashes[low:high], first))
        yield from divide(f"{bits}0", low, middle)
        yield from divide(f"{bits}1", middle, high)

    shards = divide("", 0, len(paths))
    return {name: members for name, members in shards if members}


def write(
    dataset: str | Path,
    specs: list[str],
    folder: str | Path,
    cache: str | Path,
    shard_size: int,
    with_sidecars: bool = True,
    max_file_size: float = math.inf,
    namer: Namer = unique_stems,
    kind: str = IMAGES.plural,
) -> Listing:
    """Scan a bucket, and write a manifest per shard and the table ``skipped.table``.

    A manifest is a table of `path` (relative to the dataset), `digest` of the content,
    `stem` (unique in the bucket) and `sidecar` (a digest of it and of what else tells of
    the image, None without or without `with_sidecars`). The other table is one of `path`
    and `reason`; ``shards.table`` lists the manifests.

    Args:
        dataset: The dataset folder.
        specs: The specs of the bucket.
        folder: Where the tables are written.
        cache: The table of digests, as `digests` takes it.
        shard_size: Most images of a shard.
        with_sidecars: Whether sidecars matter.
        max_file_size: An image of more megabytes is skipped.
        namer: Gives the images their stems.
        kind: What to list, a key of `KINDS`.

    Returns:
        What the scan found, except files that cannot be read.

    Raises:
        BadBucket: A spec leaves the dataset or matches nothing.
    """
    listing = scan(dataset, specs, max_file_size, kind=KINDS[kind])
    if not with_sidecars:
        listing.files = {path: listing.files[path] for path in listing.images}
    content = digests(dataset, listing.files, cache)
    for path in set(listing.files) - set(content):
        del listing.files[path]
        listing.skipped[path] = UNREADABLE
    stems = namer({path: content[path] for path in listing.images})
    _write_manifests(stems, content, Path(folder), shard_size)
    skipped = sorted(listing.skipped.items())
    write_table(
        Path(folder) / "skipped.table",
        ({"path": path, "reason": reason} for path, reason in skipped),
    )
    return listing


def _write_manifests(
    stems: dict[str, str], content: dict[str, str], folder: Path, shard_size: int
) -> None:
    beside = {path for path in content if path.endswith(".json")}

    def about(path: str) -> str | None:
        names = photo_keys.names(path, beside) if beside else ()
        told = [content[name] for name in names]
        return digest_value(told) if len(told) > 1 else next(iter(told), None)

    parts = split(stems, shard_size)
    # A manifest that is lost would be missed by nobody, and its images would be gone.
    write_table(
        folder / SHARDS,
        ({"shard": shard, "images": len(paths)} for shard, paths in parts.items()),
    )
    for shard, paths in parts.items():
        rows = (
            ManifestRow(path, content[path], stems[path], about(path)) for path in paths
        )
        write_manifest(folder / f"{shard}.jsonl", rows)


def is_mended(folder: str | Path) -> bool:
    """Tell whether a file can be read now that could not be when manifests were written.

    The dataset must be the working directory.

    Args:
        folder: The folder of the manifests.
    """
    try:
        return any(
            row["reason"] == UNREADABLE and digest_of(row["path"])
            for row in read_table(Path(folder) / "skipped.table")
        )
    except (OSError, BrokenTable, LookupError, TypeError):
        return False  # made anew in any case


def broken(folder: str | Path, wholly: bool = False) -> list[str]:
    """Return what in the folder of the manifests is not as `write` left it.

    Args:
        folder: The folder.
        wholly: Look at all rows of each table.
    """
    skipped, listed = Path(folder) / "skipped.table", Path(folder) / SHARDS
    found = [] if is_table(skipped, *SKIPPED_COLUMNS, wholly=wholly) else [str(skipped)]
    if not is_table(listed, "shard", "images", wholly=True):
        return [*found, str(listed)]
    images = {row["shard"]: row["images"] for row in read_table(listed)}
    if set(shards(folder)) - images.keys():
        found.append(str(listed))
    for shard, count in images.items():
        manifest = Path(folder) / f"{shard}.jsonl"
        whole = is_table(manifest, "path", "digest", "stem", wholly=wholly)
        if not whole or count_rows(manifest) != count:
            found.append(str(manifest))
    return found


def count(folder: str | Path) -> int:
    """Count the images in all manifests of a folder; 0 where there are none yet."""
    try:
        return sum(row["images"] for row in read_table(Path(folder) / SHARDS))
    except (OSError, BrokenTable, LookupError, TypeError):
        return 0


def shards(folder: str | Path) -> list[str]:
    """List the shards whose manifests are in a folder."""
    names = (re.fullmatch(r"(s[01]*)\.jsonl", name) for name in os.listdir(folder))
    return sorted(match[1] for match in names if match)
