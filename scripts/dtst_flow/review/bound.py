"""The images that lines of labels.csv were written for, whatever their files are called."""

from pathlib import Path

from dtst_flow.cluster.label_file import Cells
from dtst_flow.cluster.labels import Sight, read_bound
from dtst_flow.review.rows import Rows


class Bound:
    """What the last run bound each line to.

    Args:
        path: The file with that.

    Attributes:
        lines: The lines that it read.
    """

    def __init__(self, path: Path) -> None:
        self._places = read_bound(path)
        self.lines = frozenset(self._places)

    def find(self, cells: Cells, place: int, rows: Rows | None) -> list[int]:
        """The images that a line was written for, by what they show, if they are here.

        Args:
            cells: The line.
            place: 0 for its image, 1 for the other one.
            rows: What is known of all images.

        Returns:
            One image; of a cluster those that it had, the most typical first.
        """
        places = self._places.get(cells, ())
        known = places[place] if place < len(places) else ()
        sights = [known] if isinstance(known, Sight) else [sight for _, sight in known]
        if rows is None:
            return []
        found = (_showing(sight, rows) for sight in sights)
        return [n for n in found if n is not None]


def _showing(sight: Sight, rows: Rows) -> int | None:
    """The image that shows what a line was written for."""
    for n in rows.showing(sight.digest):
        box = rows.photos[n][1] if n in rows.photos else None
        if sight.is_of(Sight(sight.digest, tuple(box or ()), sight.look)):
            return n
    return None
