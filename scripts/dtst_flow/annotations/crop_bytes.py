"""How much the sidecars of an image's crops hold: bounded, as each has all boxes it shows."""

from collections.abc import Sequence

import numpy as np

from dtst_flow.annotations.boxes import Entry, content_of
from dtst_flow.annotations.crop_window import Window
from dtst_flow.dataset.sidecars import BrokenSidecar
from dtst_flow.utils.files import to_json

MOST = 32_000_000
"""Most bytes of all sidecars of an image's crops together."""

KEY = 24
"""Bytes that a key of the image's sidecar takes, besides, in what is noted of each crop."""

AT_ONCE = 1 << 22
"""Pairs of a crop and a box that are compared at once."""


class Boxes:
    """The boxes of an image, to find those that a crop shows.

    Args:
        entries: The boxes.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._corners = np.array([entry.box for entry in entries]).reshape(-1, 4)

    def within(self, window: Window) -> list[Entry]:
        """Return the boxes that share an area with a window, in their order."""
        return [
            self._entries[i] for i in np.flatnonzero(self._shown([window])[0]).tolist()
        ]

    def bytes_in(self, windows: Sequence[Window]) -> int:
        """Sum up the JSON of the boxes that each of the windows shows, about."""
        sizes = np.array([_size(entry) for entry in self._entries], np.int64)
        step = max(1, AT_ONCE // max(1, len(sizes)))
        pieces = (windows[at : at + step] for at in range(0, len(windows), step))
        return sum(int((self._shown(piece) @ sizes).sum()) for piece in pieces)

    def _shown(self, windows: Sequence[Window]) -> np.typing.NDArray[np.bool_]:
        """Tell which of n boxes each of m windows shows: (m, n)."""
        left, top, right, bottom = np.array(windows).reshape(-1, 4, 1).swapaxes(0, 1)
        x0, y0, x1, y1 = self._corners.T
        shown: np.typing.NDArray[np.bool_] = (
            (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)
        )
        return shown


def _size(entry: Entry) -> int:
    return len(to_json({"classes": {entry.name: [content_of(entry)]}}, indent=2))


def check(own: dict[str, object], crops: int, boxes: int = 0) -> None:
    """Refuse an image whose crops would get sidecars of too many bytes.

    Args:
        own: The keys of its sidecar that each crop gets.
        crops: How many crops there are.
        boxes: Bytes of the boxes in all their sidecars.

    Raises:
        BrokenSidecar: It has more than MOST bytes.
    """
    total = crops * (len(to_json(own, indent=2)) + KEY * len(own)) + boxes
    if total > MOST:
        raise BrokenSidecar(
            f"the sidecars of its {crops} crops would have {total / 1e6:.0f} MB together, "
            f"more than {MOST / 1e6:.0f}: its sidecar holds too much, or its boxes overlap "
            "too much"
        )
