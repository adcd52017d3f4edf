"""Deeds: what a user did by hand among the clusters, as lines of labels.csv that mean it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path

from dtst_flow.cluster.label_file import Cells
from dtst_flow.dataset.cluster_list import FOLDER, NOISE, REJECTED, ClusterList
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.by_hand import Move
from dtst_flow.utils.files import GARBAGE, read_json, to_json, write_atomic

FILE = "by_hand.json"
"""Name of the file, in the state of the bucket, with the deeds that no run follows yet."""


@dataclass(frozen=True)
class Deed:
    """Something that was done by hand.

    Attributes:
        said: What, in a few words.
        images: The images that it was done to.
        lines: The lines of labels.csv that mean it.
        files: File that was moved, where it is now in the bucket of the clusters -> its
            image.
        left: Image that left its cluster -> one that stands for those it left, or "".
    """

    said: str
    images: list[str]
    lines: list[Cells]
    files: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def meant(moves: list[Move], before: ClusterList) -> list[Deed]:
    """Tell what moves mean.

    Args:
        moves: What was moved or deleted since the list was written.
        before: The list.
    """
    return list(_Meaning(moves, before).deeds())


class _Meaning:
    """What moves mean, all of them together."""

    def __init__(self, moves: list[Move], before: ClusterList) -> None:
        self.before = before
        self.moves = sorted(moves, key=lambda m: (m.target or "", m.origin, m.image))
        self.folders = before.folders
        away = {move.image for move in moves}
        self.staying = {
            folder: [image for image in members if image not in away]
            for folder, members in self.folders.items()
        }

    def deeds(self) -> Iterator[Deed]:
        """Yield what was done, folder by folder."""
        for target, group in groupby(self.moves, key=lambda move: move.target):
            moves = list(group)
            if target is None or target == REJECTED:
                yield from map(self._rejected, moves)
            elif target in self.folders:
                yield from self._joined(target, moves)
            elif target == NOISE:
                yield from self._let_go(moves)
            else:
                yield from self._new(target, moves)
        yield from self._kept()

    def _left(self, move: Move) -> str:
        """Who stands for the cluster that an image left."""
        return next(iter(self.staying.get(move.origin, ())), "")

    def _of_one(self, move: Move, lines: list[Cells], said: str = "") -> Deed:
        said = f"{move.image!r} {said or f'from {move.origin} to {move.target}'}"
        return self._of_all(said, [move], lines, [move])

    def _rejected(self, move: Move) -> Deed:
        said = "" if move.target else f"deleted from {move.origin}"
        if not move.target and move.image.rpartition("/")[0] == move.origin:
            said += " (a run makes it there again; once adopted, it is in no cluster)"
        return self._of_one(move, [("reject", move.image, "")], said)

    def _out(self, move: Move) -> list[Cells]:
        """The line by which an image leaves its cluster, if anybody stays there."""
        left = self._left(move)
        return [("not", move.image, left)] if left else []

    def _whole(self, moves: list[Move]) -> dict[str, list[Move]]:
        """The clusters that were moved as a whole, but for what was deleted of them."""
        by_origin: dict[str, list[Move]] = {}
        for move in moves:
            by_origin.setdefault(move.origin, []).append(move)
        return {
            origin: each
            for origin, each in by_origin.items()
            if 2 * len(each) > len(self.folders.get(origin, [""] * 2 * len(each)))
            and not self.staying[origin]
        }

    def _joined(self, target: str, moves: list[Move]) -> Iterator[Deed]:
        """Images that were moved to a cluster that there is."""
        there = self.staying[target] or self.folders[target]
        whole = self._whole(moves)
        for origin, each in whole.items():
            line = ("must-link", self._typical(origin, each), there[0])
            yield self._of_all(f"all of {origin} to {target}", each, [line])
        for move in moves:
            if move.origin not in whole:
                link = ("must-link", move.image, there[0])
                yield self._of_one(move, [*self._out(move), link])

    def _typical(self, origin: str, moves: list[Move]) -> str:
        """The most typical of the images that left a cluster together."""
        images = {move.image for move in moves}
        return next(i for i in self.folders[origin] if i in images)

    def _of_all(
        self,
        said: str,
        moves: list[Move],
        lines: list[Cells],
        leaving: Iterable[Move] = (),
    ) -> Deed:
        images = [move.image for move in moves]
        files = {move.file: move.image for move in moves if move.file}
        left = {move.image: self._left(move) for move in leaving}
        return Deed(said, images, lines, files, left)

    def _let_go(self, moves: list[Move]) -> Iterator[Deed]:
        """Images that were moved to noise; of a whole cluster each leaves the others."""
        first: dict[str, str] = {}
        for move in moves:
            out = self._out(move)
            other = first.setdefault(move.origin, move.image)
            if not out and move.origin in self.folders and other != move.image:
                out = [("not", move.image, other)]
            yield self._of_one(move, out)

    def _new(self, target: str, moves: list[Move]) -> Iterator[Deed]:
        """Images that were moved to a folder of the user's: renamed, or a new cluster."""
        name = self._name(target)
        whole = self._whole(moves)
        origin = max(whole, key=lambda folder: len(whole[folder]), default=None)
        lines: list[Cells] = []
        if origin is not None:
            first = self._typical(origin, whole[origin])
            leaving = others = [move for move in moves if move.origin != origin]
            said = f"{origin} is now {target}"
        else:
            first, others, leaving = moves[0].image, moves[1:], moves
            lines += self._out(moves[0])
            said = f"{len(moves)} images to the new {target}"
            if not others:
                said = (
                    f"{first!r} from {moves[0].origin} to the new {target} (one image "
                    "makes no cluster, so it goes to noise: move two or more there)"
                )
        if name:
            lines.append(("name", first, name))
        for move in others:
            lines += [*self._out(move), ("must-link", move.image, first)]
        if lines or origin is None:
            yield self._of_all(said, moves, lines, leaving)

    def _name(self, folder: str) -> str:
        """The name that a folder gives its cluster; "" of a number."""
        name = folder.rpartition("/")[2]
        if self.before.parameters.get("folders") == "both":
            name = re.sub(r"^\d{3,}-", "", name)
        return "" if FOLDER.fullmatch(name) or name.isdecimal() else name

    def _kept(self) -> Iterator[Deed]:
        """Clusters that would be too small by now, and that the user left as they are."""
        least = self.before.parameters.get("min_cluster_size", 0)
        for folder, images in self.staying.items():
            if 1 < len(images) < min(least, len(self.folders[folder])):
                lines: list[Cells] = [("must-link", i, images[0]) for i in images[1:]]
                said = f"the {len(images)} images left in {folder} stay together"
                yield Deed(said, [], lines)


def pending(bucket: str) -> list[Deed]:
    """The deeds that no run follows yet and that are not undone; none of garbage."""
    try:
        deeds = [
            Deed(
                str(deed["said"]),
                list(map(str, deed["images"])),
                [(str(a), str(b), str(c)) for a, b, c in deed["lines"]],
                {str(file): str(image) for file, image in deed["files"].items()},
                {str(image): str(other) for image, other in deed["left"].items()},
            )
            for deed in read_json(state_of(bucket) / FILE)
        ]
    except GARBAGE:
        return []
    there = [any(Path(bucket, file).exists() for file in d.files) for d in deeds]
    return [
        d for d, is_there in zip(deeds, there, strict=True) if is_there or not d.files
    ]


def keep(bucket: str, deeds: list[Deed]) -> None:
    """Keep deeds until they are adopted."""
    path = state_of(bucket) / FILE
    if deeds:
        write_atomic(path, to_json([asdict(deed) for deed in deeds], indent=2))
    else:
        path.unlink(missing_ok=True)


def with_later(deeds: list[Deed], later: list[Deed]) -> list[Deed]:
    """Add deeds; what was done before to the same images counts no more."""
    again = {image for deed in later for image in deed.images}
    files: dict[str, str] = {}
    kept = []
    for deed in deeds:
        files |= {f: image for f, image in deed.files.items() if image in again}
        images = [image for image in deed.images if image not in again]
        lines = [line for line in deed.lines if not again & set(line[1:])]
        if images or (lines and not deed.images):
            kept.append(replace(deed, images=images, lines=lines))
    told = {deed.said for deed in later if not deed.images}
    return [deed for deed in kept if deed.said not in told] + [
        replace(
            deed,
            files=deed.files | {f: i for f, i in files.items() if i in deed.images},
        )
        for deed in later
    ]
