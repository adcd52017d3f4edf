"""What a label lost or won from one run to the next: its image was renamed, went or came back."""

from collections.abc import Iterable, Iterator, Sequence

from dtst_flow.cluster.history import Members
from dtst_flow.cluster.label_file import text_of
from dtst_flow.cluster.meaning import CONTRADICTS, IN_FORCE, WAITS, Reading

STATE = "state"
PLACES = ("image", "other")
"""Keys of what is kept of a line: its state, and the image that each of its places is of."""


def standing(readings: Iterable[Reading], paths: Sequence[str]) -> dict[str, Members]:
    """Return how each line stands: line -> {STATE, and those of PLACES that are found}.

    Args:
        readings: The lines.
        paths: All images.
    """
    lines = {}
    for reading in readings:
        images = zip(PLACES, reading.rows, strict=False)
        found = {place: paths[rows[0]] for place, rows in images if rows}
        lines[text_of(reading.label.cells)] = {STATE: reading.state, **found}
    return lines


def compare(
    before: dict[str, Members], now: dict[str, Members]
) -> Iterator[tuple[str, str]]:
    """Yield each line that stands otherwise than before, and what became of it.

    Args:
        before: What `standing` gave.
        now: What it gave later; lines that the user took out or wrote since do not count.
    """
    for line in sorted(before.keys() & now.keys()):
        was, is_ = before[line], now[line]
        if was == is_:
            continue
        images = " and ".join(is_[place] for place in PLACES if place in is_)
        if is_.get(STATE) == IN_FORCE:
            back = "" if was.get(STATE) == IN_FORCE else "is in force again and "
            yield line, f"{back}is of {images} now"
        elif is_.get(STATE) != was.get(STATE):
            yield line, SAID.get(is_.get(STATE, ""), "is not in force")


SAID = {
    WAITS: "waits, as what it was said of is not here",
    CONTRADICTS: "contradicts another line now, and is not in force",
}
"""State -> what a line does that came into it."""
