"""Digests of the files of a bucket: only those are read that may have changed.

A file is known by its size and time. An edit may keep both, as of a program that sets the
time back, but then changes the file's inode or its ctime. So does much that changes no
content: ``chmod``, a hard link, a copy of the whole dataset. These therefore only say which
files to look at; what counts is the content.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.scan import FileStat
from dtst_flow.utils.files import GARBAGE, digest_file, read_json, to_json, write_atomic
from dtst_flow.utils.tables import read_table, write_table

FILE = "digests.jsonl"
"""Name of the table in a bucket's state that holds the digests of its files."""

UNSEEN = "unseen.json"
"""Name of the note beside it, of edits that its sizes and times do not show."""

PIECE = 64
"""Files that a thread reads in a row. Handing over each file by itself takes longer than
reading it, and more memory than all that is known of it."""

FEW = 1000
"""Files that are looked at in any case."""


@dataclass
class Known:
    """What is known of a bucket's files without reading those that did not change.

    Attributes:
        digests: The digest of each such file, by its path.
        edited: Those of files whose content changed while size and time did not.
        is_current: Whether the table has just these files, all as they are now.
    """

    digests: dict[str, str] = field(default_factory=dict)
    edited: dict[str, str] = field(default_factory=dict)
    is_current: bool = False


def digest_of(path: str | Path) -> str | None:
    """Digest a file's content; None if it cannot be read, or is too large a sidecar."""
    most = sidecars.LARGEST if str(path).endswith(".json") else math.inf
    try:
        return digest_file(path, most)
    except OSError:
        return None


def digests(
    dataset: str | Path,
    files: Mapping[str, FileStat],
    cache: str | Path,
    keep: bool = True,
) -> dict[str, str]:
    """Digest the content of every file that can be read.

    Args:
        dataset: The dataset folder.
        files: The bucket's files, by their paths in the dataset.
        cache: The table that the last call wrote.
        keep: Replace that table, and the note beside it, by what is found.

    Returns:
        The digest of each file that can be read, by its path.
    """
    known = read_known(dataset, files, cache)
    unknown = sorted(files.keys() - known.digests.keys())
    if not unknown and known.is_current:
        return known.digests
    content = known.digests | _read(dataset, unknown)
    content = {path: content[path] for path in sorted(content)}
    if keep:
        edited = _still(read_note(cache)[1] | known.edited, known)
        rows = (_row(path, files[path], name) for path, name in content.items())
        write_table(cache, rows)
        write_note(cache, witness(files), edited)
    return content


def _row(path: str, file: FileStat, content: str) -> dict[str, Any]:
    """The row of a file in the table."""
    return {
        "path": path,
        "size": file.size,
        "mtime": file.mtime,
        "inode": file.inode,
        "ctime": file.ctime,
        "digest": content,
    }


def read_known(
    dataset: str | Path, files: Mapping[str, FileStat], cache: str | Path
) -> Known:
    """Read what the table tells of files, and those that it may be wrong about.

    Args:
        dataset: The dataset folder.
        files: The bucket's files, by their paths in the dataset.
        cache: The table that `digests` wrote.
    """
    known, rows, touched = Known(), 0, {}
    if not Path(cache).exists():
        return known
    try:
        for row in read_table(cache):
            rows += 1
            now = files.get(row["path"])
            if now and now[:2] == (row["size"], row["mtime"]):
                known.digests[row["path"]] = row["digest"]
                if now[2:] != (row.get("inode"), row.get("ctime")):
                    touched[row["path"]] = row
    except GARBAGE:
        return Known()  # damaged: all files are read again
    known.is_current = not touched and rows == len(known.digests)
    suspects = _suspects(dataset, files, touched, len(known.digests))
    for path, content in _read(dataset, suspects).items():
        if content != known.digests[path]:
            known.digests[path] = known.edited[path] = content
    return known


def unseen_edits(
    dataset: str | Path,
    files: Mapping[str, FileStat],
    cache: str | Path,
    keep: bool = False,
    known: Known | None = None,
) -> dict[str, str]:
    """Find edits that kept a file's size and time.

    Args:
        dataset: The dataset folder.
        files: The bucket's files, by their paths in the dataset.
        cache: The table that `digests` wrote.
        keep: Note that files were found to be unchanged, so that the next call reads none.
        known: What `read_known` gave of them, if it was called already.

    Returns:
        The digest of each such file's content, by its path; the same in every call until
        size or time change, too.
    """
    total = witness(files)
    noted, edited = read_note(cache)
    if noted == total and Path(cache).exists():
        return edited
    known = known or read_known(dataset, files, cache)
    if keep and not known.edited and known.digests:
        with suppress(OSError):
            write_note(cache, total, edited)
    return _still(edited | known.edited, known)


def were_below(folders: Iterable[str], cache: str | Path) -> list[str]:
    """Return those of some folders in which images were listed before, sorted."""
    starts = tuple(f"{folder}/" for folder in folders)
    if not starts or not Path(cache).exists():
        return []
    try:
        listed = {str(row["path"]) for row in read_table(cache)}
    except GARBAGE:
        return []
    return sorted(s[:-1] for s in starts if any(path.startswith(s) for path in listed))


def witness(files: Mapping[str, FileStat]) -> int:
    """Sum up what every edit of files changes that stay where they are."""
    return sum(file.inode + file.ctime for file in files.values())


def read_note(cache: str | Path) -> tuple[int | None, dict[str, str]]:
    """Read the witness of when files were last looked at, and the edits found by then."""
    try:
        note = read_json(Path(cache).with_name(UNSEEN))
        return int(note["witness"]), dict(note["edited"])
    except GARBAGE:
        return None, {}


def write_note(cache: str | Path, total: int, edited: dict[str, str]) -> None:
    """Write what `read_note` reads."""
    note = {"witness": total, "edited": edited}
    write_atomic(Path(cache).with_name(UNSEEN), to_json(note))


def _suspects(
    dataset: str | Path,
    files: Mapping[str, FileStat],
    touched: Mapping[str, Mapping[str, Any]],
    known: int,
) -> list[str]:
    """Choose the files to look at, of those whose inode or ctime changed.

    Where most of many have another inode, the dataset was copied, or its file system gives new
    ones with every mount. The ctime of a file with several names changes with each name.
    """
    moved = sum(files[path].inode != row.get("inode") for path, row in touched.items())
    if moved > max(FEW, known // 2):
        return []
    suspects = []
    for path in sorted(touched):
        with suppress(OSError):
            if Path(dataset, path).stat().st_nlink == 1:
                suspects.append(path)
    return suspects


def _still(edited: Mapping[str, str], known: Known) -> dict[str, str]:
    """Those of the edits whose files have the size and time that they had."""
    return {path: name for path, name in edited.items() if path in known.digests}


def _read(dataset: str | Path, paths: Sequence[str]) -> dict[str, str]:
    """Digest files; those that cannot be read are left out."""
    pieces = [paths[at : at + PIECE] for at in range(0, len(paths), PIECE)]
    read: dict[str, str] = {}
    with ThreadPoolExecutor() as threads:
        for names in threads.map(lambda piece: _digests_of(dataset, piece), pieces):
            read |= names
    return read


def _digests_of(dataset: str | Path, paths: Sequence[str]) -> dict[str, str]:
    names = ((path, digest_of(Path(dataset) / path)) for path in paths)
    return {path: name for path, name in names if name}
