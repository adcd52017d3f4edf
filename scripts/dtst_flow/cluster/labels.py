"""What the labels of the user are bound to, so that each stays with what it was said of.

A line is bound to what it names when it is first read: a face by the content of its photo
and its box, another image by its content. So it stays with it when files are renamed, waits
while it is away, and never passes to another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtst_flow.cluster.label_file import Cells
from dtst_flow.dataset.subjects import SAME_BOX, overlap
from dtst_flow.imaging.perceptual_hash import BITS
from dtst_flow.utils.files import read_json

BOUND = "labels.json"
"""Name of the file in a bucket's state with what each label is bound to."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What an image shows, whatever its file is called.

    Attributes:
        digest: Of the photo that a face is of, or else of the image's own content.
        box: The face's in the photo: left, top, right, bottom in pixels; () without one.
        look: The image's perceptual hash, 64 bits.
    """

    digest: str
    box: tuple[float, ...]
    look: int

    def is_of(self, other: "Sight") -> bool:
        """Whether both show the same part of the same content."""
        if self.digest != other.digest or bool(self.box) != bool(other.box):
            return False
        return not self.box or overlap(self.box, other.box) >= SAME_BOX

    def looks_like(self, other: "Sight") -> bool:
        """Whether an eye would take both for copies, as of a photo saved anew."""
        return (self.look ^ other.look).bit_count() <= BITS


Place = Sight | tuple[tuple[str, Sight], ...]
"""What a place of a line is bound to: an image; or the images of a cluster, the most typical
first, each with its name then; none of a name, which is of whoever has it.
"""

Bound = Mapping[Cells, Sequence[Place]]
"""A label's cells -> what each of its places was of when the line was first read."""


class Images:
    """The images of a clustering, to be found by name and by what they show."""

    def __init__(self, paths: Sequence[str], sights: Sequence[Sight]) -> None:
        self.paths = paths
        self.sights = sights
        # In labels.csv, blanks around a name mean nothing.
        self._by_path = {path.strip(): row for row, path in enumerate(paths)}
        self._by_path |= {path: row for row, path in enumerate(paths)}
        self._by_digest: dict[str, list[int]] = {}
        for row, sight in enumerate(sights):
            self._by_digest.setdefault(sight.digest, []).append(row)

    def named(self, path: str) -> int | None:
        """The row of an image by its name."""
        return self._by_path.get(path)

    def showing(self, sight: Sight, name: str) -> int | None:
        """The row of the image that shows a sight; of copies, the one of this name."""
        found = [
            row
            for row in self._by_digest.get(sight.digest, ())
            if self.sights[row].is_of(sight)
        ]
        if found:
            return min(
                found, key=lambda row: (self.paths[row] != name, self.paths[row])
            )
        row = self.named(name)
        if row is not None and self.sights[row].looks_like(sight):
            return row
        return None


def read_bound(path: Path) -> dict[Cells, tuple[Place, ...]]:
    """Read what `to_json` gave; nothing is bound where it is missing or garbage."""
    try:
        return {
            tuple(row["label"]): tuple(map(_place, row["sights"]))
            for row in read_json(path)
        }
    except (OSError, LookupError, RecursionError, TypeError, ValueError):
        return {}


def _place(value: Any) -> Place:
    if isinstance(value, dict):
        return _sight(value)
    return tuple((str(each["path"]), _sight(each)) for each in value)


def _sight(value: Mapping[str, Any]) -> Sight:
    return Sight(value["digest"], tuple(value["box"]), int(value["look"], 16))


def to_json(bound: Bound) -> list[dict[str, Any]]:
    """What is bound, as a JSON value."""
    return [
        {
            "label": cells,
            "sights": [
                _to_value(place)
                if isinstance(place, Sight)
                else [{"path": path} | _to_value(sight) for path, sight in place]
                for place in places
            ],
        }
        for cells, places in bound.items()
    ]


def _to_value(sight: Sight) -> dict[str, Any]:
    return {"digest": sight.digest, "box": sight.box, "look": f"{sight.look:016x}"}
