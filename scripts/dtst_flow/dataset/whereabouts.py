"""Whereabouts: where images lie, for a user who named a source that has none."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from dtst_flow.dataset.image_names import IMAGES, VIDEOS, Kind, is_system

MAX_SHOWN = 3
"""Folders of images that are named at most."""


def explain_empty(
    dataset: str | Path,
    specs: Iterable[str],
    skipped: Mapping[str, str] | None = None,
    kind: Kind = IMAGES,
) -> str:
    """Say that a source has no image, and which one would have some.

    Args:
        dataset: The dataset folder.
        specs: The specs of the source.
        skipped: What a scan of it passed over: path -> why.
        kind: What was looked for.

    Returns:
        A sentence; nothing is wrong with the dataset otherwise.
    """
    specs = list(specs)
    named = ", ".join(f"'{spec}'" for spec in specs)
    said = [f"there is no {kind.singular} in {named}"]
    hints = [
        hint for spec in specs for hint in _hints(Path(dataset), _plain(spec), kind)
    ]
    if skipped:
        first = min(skipped)
        files = "1 file was" if len(skipped) == 1 else f"{len(skipped)} files were"
        said.append(f"{files} passed over, first {first!r}: {skipped[first]}")
    if kind is IMAGES and (videos := sum(map(VIDEOS.has, skipped or ()))):
        found = VIDEOS.lie(videos, "there")
        way = f"dtst extract-frames --from '{','.join(specs)}'"
        said.append(f"{found}: {way} makes images of their frames")
    said += hints or [what_is_there(dataset, kind)]
    return "; ".join(said)


def what_is_there(dataset: str | Path, kind: Kind = IMAGES) -> str:
    """Name the folders of a dataset, and its loose images or other files of a kind."""
    dataset = Path(dataset)
    if not dataset.is_dir():
        return f"there is no dataset folder {dataset}"
    folders = ", ".join(_folders(dataset))
    place = dataset.resolve()
    said = (
        f"folders in {place}: {folders}" if folders else f"{place} has no folders yet"
    )
    if loose := _own(dataset, kind):
        said += f"; {kind.lie(loose, 'loose in it')}: --from ."
    return said


def _hints(dataset: Path, base: str, kind: Kind) -> list[str]:
    """Which sources at or below a folder have images; of the root, of each folder in it."""
    names = _folders(dataset) if base == "." else [base]
    found = []
    for name in names:
        own, near, deep = _counts(dataset / name, kind)
        spec = f"{name}/**" if deep else f"{name}/*" if near else name
        if total := own + near + deep:
            inside = f"below {name}" if deep else f"in subfolders of {name}"
            where = inside if near or deep else f"in {name}"
            found.append(f"{kind.lie(total, where)}: --from '{spec}'")
    return found[:MAX_SHOWN]


def _plain(spec: str) -> str:
    """The folder that a spec starts at: what stands before its first pattern."""
    parts: list[str] = []
    for part in PurePosixPath(spec).parts:
        if set("*?[") & set(part):
            break
        parts.append(part)
    return "/".join(parts) or "."


def _counts(folder: Path, kind: Kind) -> tuple[int, int, int]:
    """How many images a folder has itself, in its subfolders, and deeper."""
    near = deep = 0
    for name in _folders(folder):
        near += _own(folder / name, kind)
        deep += sum(_own(inner, kind) for inner in _below(folder / name))
    return _own(folder, kind), near, deep


def _below(folder: Path) -> Iterator[Path]:
    """Yield the folders below one, as ``**`` has it: links are not followed."""
    at_hand = [] if folder.is_symlink() else [folder]
    while at_hand:
        here = at_hand.pop()
        inner = [here / name for name in _folders(here)]
        at_hand += [path for path in inner if not path.is_symlink()]
        yield from (path for path in inner if not path.is_symlink())


def _own(folder: Path, kind: Kind) -> int:
    return sum(
        kind.has(entry.name) and os.path.isfile(entry)
        for entry in _entries(folder)
        if not entry.name.startswith(".")
    )


def _folders(folder: Path) -> list[str]:
    """The names of the folders in one, those that a scan would see."""
    return sorted(
        entry.name
        for entry in _entries(folder)
        if os.path.isdir(entry)
        and not entry.name.startswith(".")
        and not is_system(entry.name)
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
