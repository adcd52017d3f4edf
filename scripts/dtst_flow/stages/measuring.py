"""What select has to know of each image, shard by shard."""

import logging
import math
from typing import Any

from dtst_flow.annotations import boxes
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.imaging import header
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.job import work
from dtst_flow.stages.contract import Row, Settings, ShardJob
from dtst_flow.utils.pace import SECONDS
from dtst_flow.utils.tables import write_table

log = logging.getLogger(__name__)

COLUMNS = frozenset({"path", "stem", "digest", "sidecar", "size", "metrics", "classes"})
"""What a row of the table has."""

CERTAIN = 1.0
"""The score of a box without one: somebody drew it."""


def run(job: ShardJob, settings: Settings) -> None:
    """Look at the images of one shard; the table gets what `facts` gives of each.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    done, failures = work("measure", job.manifest, Measurer, job.workers, SECONDS)
    write_table(job.failed, failures)
    write_table(job.table, done)


class Measurer:
    """Works on one image after another."""

    def __call__(self, row: ManifestRow, /) -> Row:
        """Look at one image; returns its row of the table."""
        return facts(row, header.size(verified_read.content(row))) | {"computed": True}

    def close(self) -> None:
        """Nothing is open."""


def facts(row: ManifestRow, size: tuple[int, int]) -> Row:
    """Return what there is to choose an image by.

    Args:
        row: The image.
        size: Its width and height in pixels.

    Returns:
        {path, stem, digest, sidecar, size, metrics, classes}: `metrics` are the numbers
        that its sidecar has under that name, `classes` the best score of each class
        there, CERTAIN for a box without one.
    """
    try:
        sidecar = sidecars.read(row.path)
    except sidecars.BrokenSidecar as error:
        log.warning("%s; the image is taken for one without", error)
        sidecar = {}
    return {
        "path": row.path,
        "stem": row.stem,
        "digest": row.digest,
        "sidecar": row.sidecar,
        "size": size,
        "metrics": _metrics(sidecar.get("metrics")),
        "classes": _scores(sidecar.get("classes")),
    }


def _metrics(value: Any) -> dict[str, float]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: number for name, number in pairs if _is_number(number)}


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < math.inf


def _scores(classes: Any) -> dict[str, float]:
    """The best score of each class; a class of which nothing was found has none."""
    try:
        entries, _ = boxes.read(classes)
    except ValueError:
        return {}
    scores: dict[str, float] = {}
    for entry in entries:
        score = CERTAIN if entry.score is None else entry.score
        scores[entry.name] = max(score, scores.get(entry.name, score))
    return scores
