"""Stage extract_classes: the images of a shard in, a crop per box of a class out."""

import functools
import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from types import ModuleType
from typing import Any

from dtst_flow.annotations import boxes
from dtst_flow.annotations.crop_plan import Options, choose, passes, plan
from dtst_flow.annotations.crop_window import Window
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import given_names, photo_keys, sidecars, subjects
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.provenance import sign
from dtst_flow.dataset.state import RECORDS, state_of
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
    WouldFail,
    options_of,
)
from dtst_flow.stages.shards import IMAGES, Tally, counted
from dtst_flow.utils.array_types import Pixels
from dtst_flow.utils.tables import write_table
from dtst_flow.utils.text import capped

log = logging.getLogger(__name__)

MAX_SHOWN = 50
"""Classes named of those that sidecars have, at most."""

NO_CLASSES = "no image has a sidecar with classes (dtst detect writes them)"


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
    ledger rows with the `facts` of the boxes, classes: those that the sidecar has,
    missing: those asked for that it does not have, unusable: why boxes could not be used}
    per image.

    Args:
        job: The files to read and write.
        bucket: The target folder, relative to the dataset.
        options: The settings.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    make = functools.partial(Cutter, job.shard, bucket, options)
    done, failures = work(
        "extract_classes", job.manifest, make, job.workers, options.max_seconds
    )
    sizes(job.shard).compact()
    for row in done:
        for reason in capped(row["unusable"], f"in {state_of(bucket)}/failed.jsonl"):
            log.warning("%s: %s", row["path"], reason)
    write_table(job.failed, failures)
    write_table(job.table, done)


class Cutter:
    """Works on one image after another."""

    def __init__(self, shard: str, bucket: str, options: Options):
        self.options = options
        self.sizes = sizes(shard)
        self.part = Part(crops.ledgers_of(crops.of_boxes(bucket)), shard)

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
            content = functools.cache(functools.partial(_encoded, image, crop.window))
            sidecar = functools.partial(_signed, crop.sidecar, content)
            shows = subjects.of_provenance(crop.sidecar["provenance"])
            entry, written = self.part.write(
                crop.name, crop.key, content, sidecar, shows
            )
            result["crops"].append(entry.to_row() | crop.facts)
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


def _signed(sidecar: dict[str, Any], content: Callable[[], bytes]) -> dict[str, Any]:
    return sign(sidecar, content())


def models(settings: Settings) -> dict[str, str | None]:
    """None: boxes are cut as they are."""
    return {}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """Nothing besides what is imported here."""
    return ()


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The images of which crops would be written, and how many in words.

    Of an image of still unknown size each box counts, also those of which it would turn
    out that they reach outside the image. Raises WouldFail.
    """
    options = options_of(Options, settings)
    bucket, evidence = settings["to"], crops.of_boxes(settings["to"])
    made = crops.ledgers_of(evidence)
    owned, known_sizes = made.owned(), sizes()
    stems = given_names.foreseen(images, state_of(bucket), evidence)
    planned, current, unsized = 0, 0, False
    todo: list[str] = []
    seen = Tally()
    for path, digest in images.items():
        try:
            choice = choose(photo_keys.read(path), options)
        except sidecars.BrokenSidecar:
            continue
        found = _found(len(choice.wanted), choice.classes, choice.missing)
        seen.update({IMAGES: 1, **found})
        size = known_sizes.get(digest)
        if size is None:
            least = options.min_score
            count = sum(passes(entry.score, least) for entry in choice.wanted)
            planned += count
            unsized |= count > 0
            todo += [path] * (count > 0)
            continue
        before = planned - current
        row = ManifestRow(path, digest, stems[path])
        with suppress(sidecars.BrokenSidecar):
            for crop in plan(row, choice, (size[0], size[1]), options):
                if not isinstance(crop, str):
                    planned += 1
                    current += made.is_current(owned.get(crop.name), crop.key)
        todo += [path] * (planned - current > before)
    if seen and (fault := missing(seen)):
        raise WouldFail(fault)
    to_write = f"{'at most ' if unsized else ''}{planned - current}"
    return Pending(todo, f"{to_write} crops to write, {current} there already")


def tally(row: Row) -> dict[str, int]:
    """Count the crops of an image, and which classes it has and lacks."""
    return {
        "crops": len(row["crops"]),
        "without": row["found"] == 0,
        "unusable": len(row["unusable"]),
        **_found(row["found"], row["classes"], row["missing"]),
    }


def _found(
    boxes: int, present: Iterable[str], lacking: Iterable[str]
) -> dict[str, int]:
    """Count what tells whether what was asked for is there."""
    return {
        "boxes": boxes,
        **{f"class {name}": 1 for name in present},
        **{f"missing {name}": 1 for name in lacking},
    }


def describe(tally: Tally) -> list[str]:
    """How many crops there are, and what was asked for in vain."""
    said = [f"{tally['crops']} crops; {tally['without']} images have no box to cut"]
    if left_out := tally["boxes"] - tally["crops"]:
        said.append(f"{left_out} boxes were left out (--min-score, --skip-partial)")
    if unusable := tally["unusable"]:
        said.append(f"{unusable} boxes could not be used")
    present = list(counted(tally, "class"))
    if not present:
        said.append(NO_CLASSES)
        return said
    for name in _missing_everywhere(tally):
        said.append(f"no image has the class {name!r}; there are: {_named(present)}")
    return said


def missing(tally: Tally) -> str:
    """Say that no sidecar has any of the classes asked for, if so."""
    present, nowhere = list(counted(tally, "class")), _missing_everywhere(tally)
    if not nowhere or tally["boxes"]:
        return ""
    there = f"there are: {_named(present)}" if present else NO_CLASSES
    return f"no image has the class {' or '.join(map(repr, nowhere))}; {there}"


def leaves_out(crop: Row, settings: Settings) -> bool:
    """Whether the settings leave out the box of a crop, by its `facts`."""
    asked = boxes.parse_classes(settings["classes"])
    named = asked is None or any(boxes.match(name, [crop["class"]]) for name in asked)
    return not named or not passes(crop["score"], settings["min_score"])


def unfit(settings: Settings, files: Collection[str]) -> str:
    """Say that no image has a sidecar, where classes are asked for."""
    asked = boxes.parse_classes(settings["classes"])
    if not asked or any(path.endswith(".json") for path in files):
        return ""
    return f"no image has the class {' or '.join(map(repr, asked))}; {NO_CLASSES}"


def _missing_everywhere(tally: Tally) -> list[str]:
    """The classes asked for that no sidecar has."""
    lacking = counted(tally, "missing").items()
    return [name for name, count in lacking if count == tally[IMAGES]]


def _named(present: list[str]) -> str:
    rest = len(present) - MAX_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(present[:MAX_SHOWN]) + more


STAGE = Stage(
    name="extract_classes",
    rule="extract_classes",
    collector="collect_classes",
    options=Options,
    models=models,
    code=code,
    cost_keys={"extract_classes": ()},
    run=run,
    pending=pending,
    damaged_shards=crops.damaged_shards,
    tally=tally,
    describe=describe,
    commit=functools.partial(crops.commit, crops.of_boxes),
    evidence=crops.of_boxes,
    missing=missing,
    leaves_out=leaves_out,
    unfit=unfit,
)
