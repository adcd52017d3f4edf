"""Stage extract_frames: the videos of a shard in, chosen frames as images out."""

import functools
import logging
from dataclasses import dataclass
from time import monotonic
from types import ModuleType
from typing import Any, NamedTuple

from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import given_names, photo_keys, subjects
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.image_names import VIDEOS
from dtst_flow.dataset.manifest import ManifestRow, read_manifest
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.provenance import MARKS, sign
from dtst_flow.dataset.state import RECORDS, state_of
from dtst_flow.imaging import decode, encode, shots, video
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.job import work
from dtst_flow.stages import crops
from dtst_flow.stages.contract import (
    Pending,
    Row,
    Settings,
    ShardJob,
    Stage,
    options_of,
)
from dtst_flow.stages.shards import Tally
from dtst_flow.utils import json_text, pace
from dtst_flow.utils.array_types import Pixels
from dtst_flow.utils.files import digest_value
from dtst_flow.utils.tables import write_table

log = logging.getLogger(__name__)

PULSE = 1.0
"""Seconds after which a video that still gives frames is given its time anew."""


@dataclass(frozen=True)
class Options(shots.Choice):
    """The settings of extract-frames that its results depend on.

    Attributes:
        format: What the images are, one of `encode.FORMATS`.
        quality: That of a JPEG.
        keep_keys: The video's keys that frames get, as `photo_keys.travelling` takes them.
        max_pixels: A video of larger frames is refused; without effect on all others.
        max_seconds: A video that gives no frame for longer fails, as `pace.At` has it;
            without effect on all others.
    """

    format: str = "jpg"
    quality: int = encode.QUALITY
    keep_keys: str | list[str] | None = None
    max_pixels: int = decode.MAX_PIXELS
    max_seconds: float = pace.SECONDS


def records(options: Options, shard: str | None = None) -> Records:
    """Return the records of frames: which are to be taken of a video.

    Args:
        options: The settings.
        shard: The shard whose job asks.
    """
    depends = {**options.depends(), "code": code_version(shots, video)}
    return Records(RECORDS / "extract_frames", depends, shard)


def run(job: ShardJob, settings: Settings) -> None:
    """Extract the frames of one shard's videos, as the settings say.

    The table gets a row {path, found: how many frames were chosen, crops: ledger rows of
    those taken, left_out: how many are near-duplicates, unusable: what was amiss with the
    video or its sidecar} per video.

    Raises:
        SystemExit: Videos changed in the meantime, or cannot be read here; no table is
            written.
    """
    if fault := lacks():
        raise SystemExit(fault)
    options = options_of(Options, settings)
    videos = len(read_manifest(job.manifest))
    threads = max(1, job.workers // max(1, videos))
    make = functools.partial(Extractor, job.shard, settings["to"], options, threads)
    done, failures = work(
        "extract_frames", job.manifest, make, job.workers, options.max_seconds
    )
    records(options, job.shard).compact()
    write_table(job.failed, failures)
    write_table(job.table, done)


class _Plan(NamedTuple):
    """A frame to be written: its file's name, what it is made from, and our sidecar."""

    name: str
    key: str
    sidecar: dict[str, Any]


def _plan(
    row: ManifestRow, frame: tuple[float, int], own: Row, options: Options
) -> _Plan:
    """Plan a frame of a video, by its time and number.

    Args:
        row: The video.
        frame: Both.
        own: The video's keys that it takes along.
        options: The settings.
    """
    time, number = frame
    provenance = {
        "video": row.path,
        "digest": row.digest,
        "time": time,
        "frame": number,
    }
    sidecar = {**own, "provenance": provenance}
    key = [
        json_text.spelled(sidecar),
        [options.format, options.quality if options.format == "jpg" else None],
        sorted(MARKS),
        code_version(shots, video, encode),
    ]
    name = crops.frame_name(row.stem, time, options.format)
    return _Plan(name, digest_value(key), sidecar)


class Extractor:
    """Works on one video after another."""

    def __init__(self, shard: str, bucket: str, options: Options, threads: int):
        self.options = options
        self.threads = threads
        self.records = records(options, shard)
        self.part = Part(crops.ledgers_of(crops.of_frames(bucket)), shard)

    def __call__(self, row: ManifestRow, /) -> Row:
        """Extract the frames of one video; returns its row of the table."""
        own_keys, unusable = photo_keys.for_crops(row.path, self.options.keep_keys)
        known: Row = self.records.get(row.digest) or {}
        entries = self._kept(row, known, own_keys) if known else None
        computed = entries is None
        if entries is None:
            known, entries = self._extract(row, own_keys)
            self.records.put(row.digest, known)
        return {
            "path": row.path,
            "found": len(known["frames"]) + known["left_out"],
            "crops": [entry.to_row() for entry in entries],
            "left_out": known["left_out"],
            "unusable": [*known["notes"], *unusable],
            "computed": computed,
        }

    def close(self) -> None:
        """Let go of files."""
        self.records.close()

    def _kept(self, row: ManifestRow, known: Row, own: Row) -> list[Entry] | None:
        """The entries of frames taken before; None if any has to be written."""
        decode.check_size(known["pixels"], self.options.max_pixels)
        entries = []
        for time, number in known["frames"]:
            plan = _plan(row, (time, number), own, self.options)
            if (entry := self.part.keep(plan.name, plan.key)) is None:
                return None
            entries.append(entry)
        return entries

    def _extract(self, row: ManifestRow, own: Row) -> tuple[Row, list[Entry]]:
        """Read a video; returns its record, and the entries of its frames."""
        entries: dict[str, Entry] = {}
        frames, left_out, pixels = [], 0, 0
        beat = _Beat(row.path)
        with (
            verified_read.opened(row) as (file, check),
            video.opened(file, self.options.max_pixels, self.threads, beat) as film,
        ):
            for shot in shots.choose(film, self.options):
                plan = _plan(row, (shot.time, shot.number), own, self.options)
                if shot.pixels is None:
                    left_out += 1
                elif plan.name not in entries:
                    check()  # before anything is written under the content's name
                    pixels = max(pixels, shot.pixels.size // 3)
                    entries[plan.name] = self._write(plan, shot.pixels)
                    frames.append((shot.time, shot.number))
            notes = film.notes()
            check()
        for note in notes:
            log.warning("%s: %s", row.path, note)
        known = {"frames": frames, "left_out": left_out, "pixels": pixels}
        return known | {"notes": notes}, list(entries.values())

    def _write(self, plan: _Plan, pixels: Pixels) -> Entry:
        """Bring one frame into the bucket."""

        @functools.cache
        def content() -> bytes:
            return encode.encode(pixels, self.options.format, self.options.quality)

        def complete() -> dict[str, Any]:
            return sign(plan.sidecar, content())

        shows = subjects.of_provenance(plan.sidecar["provenance"])
        return self.part.write(plan.name, plan.key, content, complete, shows)[0]


class _Beat:
    """Tells the job that a video still gives frames, now and then."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._told = monotonic() - PULSE

    def __call__(self, pixels: int) -> None:
        if monotonic() - self._told >= PULSE:
            self._told = monotonic()
            pace.at(self.path, pixels)


def models(settings: Settings) -> dict[str, str | None]:
    """None."""
    return {}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """Nothing besides what is imported here."""
    return ()


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The videos that were not read yet, or of which a frame has to be written."""
    options = options_of(Options, settings)
    bucket, evidence = settings["to"], crops.of_frames(settings["to"])
    known, made = records(options), crops.ledgers_of(evidence)
    stems = given_names.foreseen(images, state_of(bucket), evidence)
    owned = made.owned()

    def is_done(row: ManifestRow) -> bool:
        record = known.get(row.digest)
        own = photo_keys.for_crops(row.path, options.keep_keys)[0] if record else {}
        plans = (_plan(row, f, own, options) for f in (record or {}).get("frames", ()))
        return record is not None and all(
            made.is_current(owned.get(plan.name), plan.key) for plan in plans
        )

    rows = (ManifestRow(p, digest, stems[p]) for p, digest in images.items())
    return Pending([row.path for row in rows if not is_done(row)])


def tally(row: Row) -> dict[str, int]:
    """Count the frames of a video, and what was left out or amiss."""
    amiss = bool(row["unusable"])
    return {"crops": len(row["crops"]), "left_out": row["left_out"], "amiss": amiss}


def describe(tally: Tally) -> list[str]:
    """How many frames there are, and what was left out or amiss."""
    said = [f"{tally['crops']} frames"]
    if left_out := tally["left_out"]:
        said.append(f"{left_out} near-duplicates were left out by --min-difference")
    if amiss := tally["amiss"]:
        said.append(f"{amiss} videos or their sidecars are damaged in part")
    return said


def lacks() -> str:
    """Say that PyAV is not installed, if so."""
    return "" if video.is_available() else video.MISSING


STAGE = Stage(
    name="extract_frames",
    rule="extract_frames",
    collector="collect_frames",
    options=Options,
    models=models,
    code=code,
    cost_keys={"extract_frames": ("keyframes", "every", "scenes")},
    run=run,
    pending=pending,
    damaged_shards=crops.damaged_shards,
    tally=tally,
    describe=describe,
    commit=functools.partial(crops.commit, crops.of_frames),
    evidence=crops.of_frames,
    reads=VIDEOS,
    lacks=lacks,
)
