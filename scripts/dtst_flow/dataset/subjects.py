"""Subjects: what a file of a bucket shows, whatever it is called.

A crop shows a box of a photo's content, a frame a moment of a video's, any other image its
own content. As a string, which ledgers hold for each file: ``<digest> <class> <box>``,
``<digest> frame <number>`` or ``<digest>``.
"""

import re
from collections.abc import Sequence

from dtst_flow.utils.files import digest_value

SAME_BOX = 0.5
"""Intersection over union from which on two boxes in one photo are of the same thing."""


def of_box(digest: str, box: Sequence[float], name: str = "") -> str:
    """Give the subject of a crop.

    Args:
        digest: That of the photo's content.
        box: Left, top, right, bottom in pixels of the photo.
        name: The class of what it shows; "" for a face.
    """
    return " ".join((digest, digest_value(name)[:8], *(f"{side:.7g}" for side in box)))


def of_provenance(said: object) -> str:
    """Give the subject of a crop or frame by its provenance, "" where that tells of none."""
    if not isinstance(said, dict):
        return ""
    digest, box, frame = (said.get(key) for key in ("digest", "box", "frame"))
    if not (isinstance(digest, str) and re.fullmatch("[0-9a-f]{32}", digest)):
        return ""
    if isinstance(frame, int):
        return f"{digest} frame {frame}"
    is_box = (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(side, int | float) for side in box)
    )
    return of_box(digest, box or (), said.get("class", "")) if is_box else ""


def likeness(one: str, other: str) -> float:
    """Tell how sure two subjects are the same: from 0, they are not, to 1."""
    if one == other:
        return float(bool(one))
    kind, box = _parts(one)
    other_kind, other_box = _parts(other)
    if kind != other_kind or len(box) != 4 or len(other_box) != 4:
        return 0.0
    share = overlap(box, other_box)
    return share if share >= SAME_BOX else 0.0


def digest_of(subject: str) -> str:
    """Give the digest of the content that a subject is in."""
    return subject.partition(" ")[0]


def _parts(subject: str) -> tuple[list[str], list[float]]:
    """What of a subject must be equal, and its box."""
    words = subject.split(" ")
    try:
        return words[:2], [float(word) for word in words[2:]]
    except ValueError:
        return words, []


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (both - width * height)
