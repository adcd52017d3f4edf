"""Waiting: what a user added to the sidecar of a file whose subject is away.

Each has a file in the bucket, {was: the file it was beside, shows: its subject, keys}. Not in
``.dtst``, which may be deleted at any time: nobody could make these words again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import escapes
from dtst_flow.dataset.entries import Entry, Row, Signature, stat_of
from dtst_flow.dataset.subjects import digest_of, likeness, of_provenance
from dtst_flow.utils.files import digest_value

FOLDER = ".waiting"
"""Name of the folder, in the bucket; being hidden it is no source of images."""


@dataclass(frozen=True)
class Words:
    """Keys of a user that wait.

    Attributes:
        file: Their file.
        was: The file of the bucket that they were beside.
        shows: What that showed.
        keys: The keys.
    """

    file: Path
    was: str
    shows: str
    keys: dict[str, Any]


def subject_of(row: Row, sidecar: Mapping[str, Any]) -> str:
    """Give the subject of a file, "" if it has none.

    Args:
        row: What was last noted of it.
        sidecar: What its sidecar holds.
    """
    told = of_provenance(sidecar.get("provenance"))
    # A kill may have come between a claim and what it was made for.
    return row.shows or told if isinstance(row, Entry) else told or row.shows


def look_alike(one: Path, other: Path) -> bool:
    """Whether an eye would take two images for copies, as of a photo saved anew."""
    from dtst_flow.imaging import decode
    from dtst_flow.imaging.perceptual_hash import BITS, perceptual_hash

    try:
        first, second = (perceptual_hash(decode.read(path)) for path in (one, other))
    except decode.UnreadableImage:
        return False
    return (first ^ second).bit_count() <= BITS


def put(bucket: Path, was: str, shows: str, keys: dict[str, Any]) -> bool:
    """Keep keys until what they were said of is back; returns whether that can be.

    Args:
        bucket: The bucket.
        was: The file of it that they were beside.
        shows: The subject of that.
        keys: The keys.
    """
    folder = bucket / FOLDER
    if escapes(bucket, FOLDER) or (folder.exists() and not folder.is_dir()):
        return False
    name = digest_value([shows, keys])[:16]
    folder.mkdir(parents=True, exist_ok=True)
    sidecars.write(folder / name, {"was": was, "shows": shows, "keys": keys})
    return True


def read(bucket: str | Path) -> list[Words]:
    """Read all that waits in a bucket; what is not as `put` wrote it is passed over."""
    found: list[Words] = []
    if escapes(bucket, FOLDER):
        return found
    for file in sorted(Path(bucket, FOLDER).glob("*.json")):
        with suppress(sidecars.BrokenSidecar):
            said = sidecars.read(file.with_suffix(""))
            was, shows, keys = (said.get(name) for name in ("was", "shows", "keys"))
            whole = isinstance(was, str) and isinstance(shows, str)
            if whole and isinstance(keys, dict):
                found.append(Words(file, str(was), str(shows), keys))
    return found


def homes(
    bucket: Path, parts: Mapping[str, Iterable[Entry]]
) -> dict[str, dict[str, list[Words]]]:
    """Find the files that show what keys that wait were said of.

    Args:
        bucket: The bucket.
        parts: All files in it, by parts; not looked at where nothing waits.

    Returns:
        Part -> path of a file -> what is to go there.
    """
    found: dict[str, dict[str, list[Words]]] = {}
    waiting = read(bucket)
    if not waiting:
        return found
    wanted = {digest_of(words.shows) for words in waiting}
    places = defaultdict(list)
    for part, entries in parts.items():
        for entry in entries:
            if digest_of(entry.shows) in wanted:
                places[digest_of(entry.shows)].append((part, entry))
    for words in waiting:
        alike = [
            (likeness(words.shows, entry.shows), part, entry.path)
            for part, entry in places[digest_of(words.shows)]
        ]
        share, part, path = max(alike, key=itemgetter(0), default=(0.0, "", ""))
        if share:
            found.setdefault(part, {}).setdefault(path, []).append(words)
    return found


def brought(
    bucket: Path, entries: Iterable[Entry], homes: Mapping[str, list[Words]]
) -> Iterator[Entry]:
    """Bring keys that wait to files; yields the entries as they are then.

    Args:
        bucket: The bucket.
        entries: Files in it.
        homes: Path -> what goes there.
    """
    for entry in entries:
        for words in homes.get(entry.path, ()):
            entry = _joined(bucket, words, entry)
        yield entry


def tidy(bucket: Path) -> None:
    """Remove the folder if nothing waits any more."""
    with suppress(OSError):
        (bucket / FOLDER).rmdir()


def _joined(bucket: Path, words: Words, entry: Entry) -> Entry:
    """Bring keys to a file; what its sidecar has another value of goes on waiting."""
    image = bucket / entry.path
    known = stat_of(sidecars.path_of(image)) == entry.sidecar
    try:
        present = sidecars.read(image)
        content, left = _with(words.keys, present, entry.written)
        if content != present:
            sidecars.edit(image, content)
        if left != words.keys:
            if left:
                put(bucket, words.was, words.shows, left)
            words.file.unlink()
    except sidecars.BrokenSidecar:
        return entry
    sidecar = stat_of(sidecars.path_of(image))
    return entry._replace(sidecar=sidecar) if known else entry


def _with(
    keys: dict[str, Any], present: dict[str, Any], written: Iterable[Signature]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add keys to a sidecar: they count more than ours, and less than the user's there.

    Returns:
        What the sidecar is to hold, and those of the keys of which it has another value.
    """
    users = sidecars.merge(present, {}, *written)
    taken, left = _over(users, keys)
    mine, more = users.get(sidecars.SHARED), keys.get(sidecars.SHARED)
    if isinstance(mine, dict) and isinstance(more, dict):
        taken[sidecars.SHARED], entries = _over(mine, more)
        left.pop(sidecars.SHARED, None)
        left |= {sidecars.SHARED: entries} if entries else {}
    return sidecars.merge(taken, present), left


def _over(
    first: dict[str, Any], second: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Complete keys by others; returns also those of the others that differ."""
    both = {**second, **first}
    # By digests, as NaN is not equal to itself.
    differ = {
        k: v for k, v in second.items() if digest_value(both[k]) != digest_value(v)
    }
    return both, differ
