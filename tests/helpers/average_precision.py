"""How well boxes match labelled ones: average precision as COCO counts it."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

Boxes = dict[str, list[tuple]]
"""Photo -> its boxes, (x0, y0, x1, y1) or, of those found, (score, x0, y0, x1, y1)."""


def labelled(path: Path, folder: str) -> dict[str, Boxes]:
    """Class -> boxes of the photos in a folder, from a table of labels."""
    classes: dict[str, Boxes] = defaultdict(lambda: defaultdict(list))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["file"].startswith(folder) and row["x1"]:
                box = tuple(float(row[side]) for side in ("x1", "y1", "x2", "y2"))
                classes[row["label"]][Path(row["file"]).name].append(box)
    return classes


def average_precision(found: Boxes, known: Boxes, overlap: float = 0.5) -> float:
    """Area under the curve of precision over recall, from 0 to 1.

    From the surest on, a box is right when its IoU with one that no surer box has taken
    is at least `overlap`. The curve never rises; it is read at 101 places.
    """
    ranked = sorted(
        ((score, photo, box) for photo in found for score, *box in found[photo]),
        key=lambda one: -one[0],
    )
    left = {photo: list(boxes) for photo, boxes in known.items()}
    right = []
    for _, photo, box in ranked:
        shares = [iou(box, other) for other in left.get(photo, [])]
        right.append(max(shares, default=0) >= overlap)
        if right[-1]:
            del left[photo][int(np.argmax(shares))]
    hits = np.cumsum(right)
    recall = hits / sum(map(len, known.values()))
    precision = hits / np.arange(1, len(hits) + 1)
    recall = np.concatenate([[0], recall, [1]])
    precision = np.concatenate([[1], precision, [0]])
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.linspace(0, 1, 101)
    return float(np.trapezoid(np.interp(places, recall, falling), places))


def iou(a: tuple, b: tuple) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return shared / (sum(areas) - shared)
