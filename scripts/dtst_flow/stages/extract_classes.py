"""Stage extract_classes: the images of a shard in, a crop per box of a class out."""

import functools
import logging
from collections.abc import Callable
from types import ModuleType

from dtst_flow.annotations.crop_plan import Options, choose, passes, plan
from dtst_flow.annotations.crop_window import Window
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import photo_keys, sidecars
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import RECORDS, state_of
from dtst_flow.dataset.stems import unique_stems
from dtst_flow.imaging import decode, encode
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
from dtst_flow.utils.array_types import Pixels
from dtst_flow.utils.files import write_table

log = logging.getLogger(__name__)

MAX_SHOWN = 50
"""Classes named of those that sidecars have, at most."""


def sizes(shard: str | None = None) -> Records:
    """Return the records of images' sizes, by which unchanged crops need no decoding.

    Args:
        shard: The shard whose job asks.
    """
    depends = {"code": code_version(decode)}
    return Records(RECORDS / "extract_classes", depends, shard)


def run(job: ShardJob, settings: Settings) -> None:
    """Cut out the boxes of one shard, as the settings say."""
    cut(job, settings["to"], options_of(Options, settings))


def cut(job: ShardJob, bucket: str, options: Options) -> None:
    """Cut out the boxes of one shard.

    The table gets a row {path, found: how many boxes of the classes asked for, crops:
    ledger rows, classes: those that the sidecar has, missing: those asked for that it
    does not have, unusable: why boxes could not be used} per image.

    Args:
        job: The files to read and write.
        bucket: The target folder, relative to the dataset.
        options: The settings.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    make = functools.partial(Cutter, job.shard, bucket, options)
    done, failures = work("extract_classes", job.manifest, make, job.workers)
    sizes(job.shard).compact()
    for row in done:
        for reason in row["unusable"]:
            log.warning("%s: %s", row["path"], reason)
    write_table(job.failed, failures)
    write_table(job.table, done)


class Cutter:
    """Works on one image after another."""

    def __init__(self, shard: str, bucket: str, options: Options):
        self.options = options
        self.sizes = sizes(shard)
        self.part = Part(Ledgers(bucket, state_of(bucket)), shard)

    def __call__(self, row: ManifestRow, /) -> Row:
        """Cut the boxes out of one image; returns its row of the table."""
        image = functools.cache(lambda: verified_read.read(row, self.options))
        choice = choose(photo_keys.read(row.path), self.options)
        result: Row = {
            "path": row.path,
            "found": len(choice.wanted),
            "crops": [],
            "classes": choice.classes,
            "missing": choice.missing,
            "unusable": choice.unusable,
            "computed": False,
        }
        if not choice.wanted:
            return result
        size = self._size(row.digest, image)
        decode.check_size(size[0] * size[1], self.options.max_pixels)
        for crop in plan(row, choice, size, self.options):
            if isinstance(crop, str):
                result["unusable"].append(crop)
                result["found"] -= 1
                continue
            entry, written = self.part.write(
                crop.name,
                crop.key,
                functools.partial(_encoded, image, crop.window),
                crop.sidecar,
            )
            result["crops"].append(entry.to_row())
            result["computed"] |= written
        return result

    def close(self) -> None:
        """Let go of files."""
        self.sizes.close()

    def _size(self, digest: str, image: Callable[[], Pixels]) -> tuple[int, int]:
        """(width, height) of the upright image."""
        known = self.sizes.get(digest)
        if known is not None:
            return known[0], known[1]
        height, width = image().shape[:2]
        self.sizes.put(digest, [width, height])
        return width, height


def _encoded(image: Callable[[], Pixels], window: Window) -> bytes:
    x0, y0, x1, y1 = window
    return encode.encode(image()[y0:y1, x0:x1])


def models(settings: Settings) -> dict[str, str | None]:
    """None: boxes are cut as they are."""
    return {}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """Nothing besides what is imported here."""
    return ()


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The images of which crops would be written, and how many in words.

    Of an image of still unknown size each box counts, also those of which it would turn
    out that they reach outside the image.
    """
    options = options_of(Options, settings)
    ledgers = Ledgers(settings["to"], state_of(settings["to"]))
    owned, known_sizes = ledgers.owned(), sizes()
    stems = unique_stems(images)
    planned, current, unsized = 0, 0, False
    todo = []
    for path, digest in images.items():
        try:
            choice = choose(photo_keys.read(path), options)
        except sidecars.BrokenSidecar:
            continue
        size = known_sizes.get(digest)
        if size is None:
            count = sum(passes(entry, options) for entry in choice.wanted)
            planned += count
            unsized |= count > 0
            todo += [path] * (count > 0)
            continue
        before = planned - current
        row = ManifestRow(path, digest, stems[path])
        for crop in plan(row, choice, (size[0], size[1]), options):
            if isinstance(crop, str):
                continue
            planned += 1
            current += ledgers.is_current(owned.get(crop.name), crop.key)
        todo += [path] * (planned - current > before)
    to_write = f"{'at most ' if unsized else ''}{planned - current}"
    return Pending(todo, f"{to_write} crops to write, {current} there already")


def describe(rows: list[Row]) -> list[str]:
    """How many crops there are, and what was asked for in vain."""
    without = sum(row["found"] == 0 for row in rows)
    said = [f"{crops.count(rows)} crops; {without} images have no box to cut"]
    left_out = sum(row["found"] - len(row["crops"]) for row in rows)
    if left_out:
        said.append(f"{left_out} boxes were left out (--min-score, --skip-partial)")
    unusable = sum(len(row["unusable"]) for row in rows)
    if unusable:
        said.append(f"{unusable} boxes could not be used")
    present = _present(rows)
    if not present:
        said.append("no image has a sidecar with classes")
        return said
    for name in _missing_everywhere(rows):
        said.append(f"no image has the class {name!r}; there are: {_named(present)}")
    return said


def missing(rows: list[Row]) -> str:
    """Say that sidecars have other classes only than those asked for, if so."""
    present, nowhere = _present(rows), _missing_everywhere(rows)
    if not present or not nowhere or any(row["found"] for row in rows):
        return ""
    words = " or ".join(map(repr, nowhere))
    return f"no image has the class {words}; there are: {_named(present)}"


def _present(rows: list[Row]) -> list[str]:
    """The classes that sidecars have."""
    return sorted({name for row in rows for name in row["classes"]})


def _missing_everywhere(rows: list[Row]) -> list[str]:
    """The classes asked for that no sidecar has."""
    return sorted(set.intersection(*(set(row["missing"]) for row in rows)))


def _named(present: list[str]) -> str:
    rest = len(present) - MAX_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(present[:MAX_SHOWN]) + more


STAGE = Stage(
    name="extract_classes",
    rule="extract_classes",
    collector="collect_classes",
    table="classes",
    options=Options,
    models=models,
    code=code,
    cost_keys={"extract_classes": ()},
    run=run,
    pending=pending,
    damaged_shards=crops.damaged_shards,
    describe=describe,
    commit=crops.commit,
    missing=missing,
)
