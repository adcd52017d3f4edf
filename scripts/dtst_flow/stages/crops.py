"""What the stages that write crops share."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from dtst_flow.annotations.crop_names import stem_of
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.evidence import CropEvidence
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.runtime.failures import healed_parts
from dtst_flow.stages import by_hand
from dtst_flow.stages.accounting import refuse_missing
from dtst_flow.stages.contract import Committed, Row
from dtst_flow.stages.shards import Shard, content_of
from dtst_flow.utils.again import Again
from dtst_flow.utils.tables import read_table

FACE = frozenset(
    {"image", "digest", "box", "points", "size", "score", "engine", "model"}
)
BOX = frozenset({"image", "digest", "class", "box", "score", "crop"})
FRAME = frozenset({"video", "digest", "time", "frame"})
"""What the provenance of a crop tells, besides what `provenance.sign` adds."""


def of_faces(bucket: str | Path) -> CropEvidence:
    """Return what the crops of faces in a bucket say of whose they are."""
    return CropEvidence(Path(bucket), FACE, _stem_of_face, frozenset({"turned"}))


def of_boxes(bucket: str | Path) -> CropEvidence:
    """Return what the crops of boxes in a bucket say of whose they are."""
    return CropEvidence(Path(bucket), BOX, stem_of)


def of_frames(bucket: str | Path) -> CropEvidence:
    """Return what the frames of videos in a bucket say of whose they are."""
    return CropEvidence(Path(bucket), FRAME, _stem_of_frame)


def frame_name(stem: str, seconds: float, suffix: str) -> str:
    """Make the file name of a frame of a video, by its time in milliseconds.

    So names sort as the frames do, and stay whatever other frames are taken.
    """
    return f"{stem}_{round(1000 * seconds):08d}.{suffix}"


def _stem_of_frame(name: str, provenance: Mapping[str, Any]) -> str | None:
    stem, _, rest = name.rpartition("_")
    seconds = provenance["time"]
    if not isinstance(seconds, int | float):
        return None
    fits = name == frame_name(stem, seconds, rest.rpartition(".")[2])
    return stem if fits else None


def _stem_of_face(name: str, provenance: object) -> str | None:
    match = re.fullmatch(r"(.+)_\d{2,}\.jpg", name, re.DOTALL)
    return match[1] if match else None


def ledgers_of(evidence: CropEvidence) -> Ledgers:
    """Return the ledgers of a bucket of crops, relative to the dataset."""
    return Ledgers(evidence.bucket, state_of(str(evidence.bucket)), evidence)


def distinct(content: dict[str, str]) -> list[str]:
    """Of images of the same content one, as the record of one does for all.

    Args:
        content: Path -> digest.
    """
    return sorted({digest: path for path, digest in content.items()}.values())


@dataclass(frozen=True)
class CropStats:
    """The crops that a stage made of images.

    Attributes:
        crops: Image -> its crops, by their names in the bucket.
        per_image: How many an image has, on average; 1 where none is known.
        size: Bytes of a crop and its sidecar, on average.
    """

    crops: dict[str, list[str]]
    per_image: float = 1.0
    size: float = 0.0

    @classmethod
    def of_tables(cls, tables: Iterable[Path]) -> "CropStats":
        """Read a stage's tables; those that no run wrote are as good as none."""
        try:
            rows = [row for table in tables for row in read_table(table)]
            crops = {row["path"]: [c["path"] for c in row["crops"]] for row in rows}
            sizes = [Entry.of_row(c).size for row in rows for c in row["crops"]]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return cls({})
        if not sizes:
            return cls({})
        return cls(crops, len(sizes) / len(crops), sum(sizes) / len(sizes))


def damaged_shards(bucket: str) -> list[str]:
    """The shards whose files were edited or deleted, or whose failures may be mended.

    Where the ledger alone is lost these are all.
    """
    state = state_of(bucket)
    ledgers = Ledgers(bucket, state)
    if ledgers.is_lost() and (state / "summary.json").exists():
        return sorted(table.stem for table in state.glob("failed/*.jsonl"))
    return sorted({*ledgers.damaged_parts(), *healed_parts(state)})


def commit(
    evidence_of: Callable[[str | Path], CropEvidence],
    shards: Mapping[str, Shard],
    failures: list[Row],
    bucket: str,
) -> Committed:
    """Remove our crops that are no longer wanted.

    Args:
        evidence_of: Gives what the files in the bucket say.
        shards: The shards, with a row of the table for each image.
        failures: Of no account here.
        bucket: The bucket.

    Returns:
        What names all others, those that were removed, and those that were put back.

    Raises:
        SystemExit: A crop that is wanted is not there.
    """
    Path(bucket).mkdir(parents=True, exist_ok=True)  # also when nothing was found
    ledgers = ledgers_of(evidence_of(bucket))
    restored, put_back = ledgers.restored(), ledgers.put_back()
    same = {name for name, shard in shards.items() if shard.is_same()}
    parts = {
        name: Again(partial(_entries, shard))
        for name, shard in shards.items()
        if name not in same
    }
    removed = ledgers.commit(parts, same)
    count = sum(shard.tally["crops"] for shard in shards.values())
    if 0 < len(put_back) < count:  # where all were deleted, the user begins anew
        by_hand.note_put_back(bucket, put_back | by_hand.put_back(bucket))
    contents = {name: shard.content for name, shard in shards.items()}
    changed = {name for name, shard in shards.items() if not shard.is_same()}
    for name in changed:
        entries = ledgers.entries(name)
        contents[name] = content_of((e.path, e.key, e.sidecar) for e in entries)
    refuse_missing(bucket, chain.from_iterable(map(ledgers.entries, sorted(changed))))
    return Committed(contents, removed, restored)


def _entries(shard: Shard) -> Iterator[Entry]:
    return (Entry.of_row(crop) for row in shard.rows() for crop in row["crops"])
