"""Stems: a unique name for each image of a bucket, from which its crops get theirs."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable

from dtst_flow.utils.files import digest

LONGEST_STEM = 230
"""Most bytes of a stem. File systems take names of 255 bytes; a digest and the
``_00.jpg.json`` of a crop's sidecar must fit in as well.
"""


def unique_stems(
    paths: Iterable[str], is_free: Callable[[str, str], bool] = lambda stem, path: True
) -> dict[str, str]:
    """Give each image a stem that no other has, from its name and, if needed, its folders.

    ``a/x.jpg`` and ``b/x.jpg`` become ``a_x`` and ``b_x``; an image whose name is unique
    keeps it. Case and the encoding of accents make no difference, as on some file systems.
    Names that no folder tells apart, and names too long for a crop's file name, get a
    digest of the path. The stems depend on nothing but the set of paths and what is free.

    Args:
        paths: The images' paths.
        is_free: Whether an image may have a stem, which comes `folded`.

    Returns:
        The stem of each path.
    """
    paths = sorted(paths)
    depth = dict.fromkeys(paths, 1)
    while True:
        groups = defaultdict(list)
        for path in paths:
            groups[folded(_stem(path, depth[path]))].append(path)
        rivals = {path for group in groups.values() for path in _rivals(group, depth)}
        for stem, group in groups.items():
            rivals.update(path for path in group if not is_free(stem, path))
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
            stems[path] = kept + _mark(path)
    return stems


def is_stem_of(stem: str, path: str) -> bool:
    """Tell whether `unique_stems` may give an image a stem, whatever others there are."""
    if stem == _stem(path, 1):  # as most are
        return True
    depths = range(2, path.count("/") + 3)
    return any(stem == _stem(path, depth) for depth in depths) or stem.endswith(
        _mark(path)
    )


def _mark(path: str) -> str:
    return f"-{digest(os.fsencode(path))[:8]}"


def _rivals(group: list[str], depth: dict[str, int]) -> list[str]:
    """Choose those of the paths with one stem that need another; one keeps its own name."""
    if len(group) == 1:
        return []
    own = [path for path in group if depth[path] == 1]
    return [path for path in group if own != [path]]


def folded(name: str) -> str:
    """Give what names have in common that some file system takes for one.

    Some ignore case, some how accents are encoded, some characters that nobody sees.
    """
    if name.isascii():
        return name.lower()
    seen = (char for char in name if unicodedata.category(char) != "Cf")
    decomposed = unicodedata.normalize("NFD", "".join(seen)).upper().casefold()
    return unicodedata.normalize("NFD", decomposed)


def _stem(path: str, depth: int) -> str:
    """Join the last `depth` parts of a path; past the first folder, the suffix as well."""
    *folders, name = path.split("/")
    if depth > len(folders) + 1:
        return "_".join((*folders, name))
    return "_".join(
        (*folders[len(folders) + 1 - depth :], name.rpartition(".")[0] or name)
    )
