"""Inventory: the images of a bucket, known by their content, split into shards."""

import math
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow, write_manifest
from dtst_flow.dataset.scan import Listing, scan
from dtst_flow.dataset.stems import unique_stems
from dtst_flow.utils.files import digest, digest_file, read_table, write_table

DIGESTS = "digests.jsonl"
"""The table in a bucket's state of what contents its images were found to have."""

UNREADABLE = "cannot be read"
"""Why a file is passed over that the next run may find readable, unchanged as it is."""


PIECE = 64
"""Files that a thread reads in a row: to hand over each by itself takes longer than to read
it, and more memory than all that is known of it."""


def digest_of(path: str | Path) -> str | None:
    """Digest of a file's content, None if it cannot be read."""
    try:
        return digest_file(path)
    except OSError:
        return None


def digests(
    dataset: str | Path,
    files: dict[str, tuple[int, int]],
    cache: str | Path,
    keep: bool = True,
) -> dict[str, str]:
    """Content digest of every readable file, reading only those of new size or mtime.

    Args:
        dataset: The dataset folder.
        files: Path -> (size in bytes, mtime in ns).
        cache: The table of the last call's results.
        keep: Replace that table by the results of this call.
    """
    known, rows = {}, 0
    if Path(cache).exists():
        for row in read_table(cache):
            rows += 1
            if files.get(row["path"]) == (row["size"], row["mtime"]):
                known[row["path"]] = row["digest"]

    unknown = sorted(files.keys() - known.keys())
    if not unknown and rows == len(known):
        return known
    pieces = [unknown[at : at + PIECE] for at in range(0, len(unknown), PIECE)]
    with ThreadPoolExecutor() as threads:
        for found in threads.map(lambda piece: _digests_of(dataset, piece), pieces):
            known.update(found)
    content = {path: known[path] for path in sorted(files) if known[path]}
    if not keep:
        return content
    rows = ((path, *files[path], name) for path, name in content.items())
    columns = ("path", "size", "mtime", "digest")
    write_table(cache, (dict(zip(columns, row, strict=True)) for row in rows))
    return content


def _digests_of(dataset: str | Path, paths: list[str]) -> dict[str, str | None]:
    return {path: digest_of(Path(dataset) / path) for path in paths}


def split(paths: Iterable[str], shard_size: int) -> dict[str, list[str]]:
    """Split paths into shards of at most `shard_size` by the bits of a hash of each path.

    A shard that grows too large falls in two by the next bit and leaves all others as
    they are. Returns shard name (``s`` and the bits) -> sorted paths.
    """

    def fall(prefix: str, hashed: list[tuple[int, str]]) -> Iterator[tuple]:
        if len(hashed) <= shard_size:
            yield f"s{prefix}", sorted(path for _, path in hashed)
            return
        mask = 1 << (127 - len(prefix))
        yield from fall(f"{prefix}0", [h for h in hashed if not h[0] & mask])
        yield from fall(f"{prefix}1", [h for h in hashed if h[0] & mask])

    hashed = [(int(digest(os.fsencode(path)), 16), path) for path in paths]
    return {name: members for name, members in fall("", hashed) if members}


def write(
    dataset: str | Path,
    specs: list[str],
    folder: str | Path,
    cache: str | Path,
    shard_size: int,
    with_sidecars: bool = True,
    max_file_size: float = math.inf,
) -> Listing:
    """Scan a bucket and write a manifest per shard, plus ``skipped`` with reasons.

    A manifest is a table of `path` (relative to the dataset), `digest` of the content,
    `stem` (unique in the bucket) and `sidecar` (its digest, None without one, or where
    sidecars are to be left out of account).
    """
    listing = scan(dataset, specs, max_file_size)
    if not with_sidecars:
        listing.files = {path: listing.files[path] for path in listing.images}
    content = digests(dataset, listing.files, cache)
    for path in set(listing.files) - set(content):
        del listing.files[path]
        listing.skipped[path] = UNREADABLE
    images = listing.images
    stems = unique_stems(images)
    for shard, paths in split(images, shard_size).items():
        rows = (
            ManifestRow(
                path, content[path], stems[path], content.get(sidecars.name_of(path))
            )
            for path in paths
        )
        write_manifest(Path(folder) / f"{shard}.jsonl", rows)
    skipped = sorted(listing.skipped.items())
    write_table(
        Path(folder) / "skipped.table",
        ({"path": path, "reason": reason} for path, reason in skipped),
    )
    return listing


def is_mended(folder: str | Path) -> bool:
    """Whether a file that could not be read when manifests were written can be now.

    folder  where the manifests lie, below the dataset, in which we are
    """
    skipped = Path(folder) / "skipped.table"
    return skipped.exists() and any(
        row["reason"] == UNREADABLE and digest_of(row["path"])
        for row in read_table(skipped)
    )


def shards(folder: str | Path) -> list[str]:
    """The names of the shards whose manifests lie in a folder."""
    names = (re.fullmatch(r"(s[01]*)\.jsonl", name) for name in os.listdir(folder))
    return sorted(match[1] for match in names if match)
