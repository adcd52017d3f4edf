"""Stems: a name for each image of a bucket that no other has, for its crops to bear."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from dtst_flow.utils.files import digest

LONGEST_STEM = 230
"""Bytes of a stem, at most. File systems take names of 255; a digest and the
``_00.jpg.json`` of a crop's sidecar still have to fit in.
"""


def unique_stems(paths: Iterable[str]) -> dict[str, str]:
    """Give each image a stem that no other has, from its name and, where need be, folders.

    ``a/x.jpg`` and ``b/x.jpg`` become ``a_x`` and ``b_x``; images alone with their name
    keep it. Compared without regard to case and to how accents are encoded, as some file
    systems do. Depends on the set of paths only. Names that no folder tells apart, and those too long for a crop's
    file name, get a digest of their path.
    """
    paths = sorted(paths)
    depth = dict.fromkeys(paths, 1)
    while True:
        groups = defaultdict(list)
        for path in paths:
            groups[_folded(_stem(path, depth[path]))].append(path)
        rivals = {path for group in groups.values() for path in _rivals(group, depth)}
        deeper = [path for path in rivals if depth[path] <= path.count("/") + 1]
        if not deeper:
            break
        for path in deeper:
            depth[path] += 1
    stems = {path: _stem(path, depth[path]) for path in paths}
    for path, stem in stems.items():
        too_long = len(os.fsencode(stem)) > LONGEST_STEM
        if too_long or path in rivals:
            kept = stem[: LONGEST_STEM // 4] if too_long else stem
            stems[path] = f"{kept}-{digest(os.fsencode(path))[:8]}"
    return stems


def _rivals(group: list[str], depth: dict[str, int]) -> list[str]:
    """Those of the paths with one stem that need another: not one with its own name."""
    if len(group) == 1:
        return []
    own = [path for path in group if depth[path] == 1]
    return [path for path in group if own != [path]]


def _folded(stem: str) -> str:
    decomposed = unicodedata.normalize("NFD", stem).casefold()
    return unicodedata.normalize("NFD", decomposed)


def _stem(path: str, depth: int) -> str:
    """The last `depth` parts of a path as one name; past the first folder, suffix too."""
    *folders, name = path.split("/")
    if depth > len(folders) + 1:
        return "_".join((*folders, name))
    return "_".join(
        (*folders[len(folders) + 1 - depth :], name.rpartition(".")[0] or name)
    )
