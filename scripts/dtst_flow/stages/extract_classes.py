"""Stage extract_classes: the images of a shard in, a crop per box of a class out."""

import functools
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtst_flow.annotations import boxes, crop_names, crop_window
from dtst_flow.annotations.boxes import Entry
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import RECORDS, state_of
from dtst_flow.imaging import decode, encode
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.job import work
from dtst_flow.utils.files import digest_value, write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """The parameters of extract-classes that its results depend on.

    classes       the classes to cut out, a comma list or a list; None for all
    square        make crops square
    margin        widen a crop on all sides by this fraction of its longer side
    skip_partial  drop boxes whose crop reaches outside the image
    min_score     drop boxes with a lower score or none, None to keep all
    background    colour that shows through transparent pixels, "#rrggbb"
    max_pixels    an image of more is refused; of no effect on all others
    """

    classes: str | list[str] | None = None
    square: bool = False
    margin: float = 0.0
    skip_partial: bool = False
    min_score: float | None = None
    background: str = decode.WHITE
    max_pixels: int = decode.MAX_PIXELS


@dataclass(frozen=True)
class Choice:
    """What of an image's sidecar a run is about.

    sidecar   its content
    every     all its entries that can be used
    wanted    those of the classes asked for
    missing   the classes asked for that it has not
    unusable  why entries of these classes cannot be used
    """

    sidecar: dict
    every: list[Entry]
    wanted: list[Entry]
    missing: list[str]
    unusable: list[str]

    @property
    def classes(self) -> list[str]:
        """The classes that the sidecar has, sorted."""
        return sorted(self.sidecar.get("classes", {}))


@dataclass(frozen=True)
class Crop:
    """A crop to be.

    name     its file name
    key      names all that file and sidecar are made from
    window   the pixels of the image that it shows
    sidecar  our keys of its sidecar
    """

    name: str
    key: str
    window: crop_window.Window
    sidecar: dict


def choose(sidecar: dict, options: Options) -> Choice:
    """Read the classes of a sidecar. Raises BrokenSidecar where they are no object."""
    try:
        every, bad = boxes.read(sidecar.get("classes", {}))
    except ValueError as error:
        raise sidecars.BrokenSidecar(f"its sidecar is of no use: {error}") from error
    there = sidecar.get("classes", {})
    asked = boxes.parse_classes(options.classes)
    found = {name: boxes.match(name, there) for name in asked or ()}
    chosen = {match[0] for match in found.values() if len(match) == 1}
    chosen = set(there) if asked is None else chosen
    unclear = [
        f"class {name!r} may mean {' or '.join(map(repr, match))}; spell it like one"
        for name, match in found.items()
        if len(match) > 1
    ]
    return Choice(
        sidecar=sidecar,
        every=every,
        wanted=[entry for entry in every if entry.name in chosen],
        missing=[name for name, match in found.items() if not match],
        unusable=[reason for name, reason in bad if name in chosen] + unclear,
    )


def passes(entry: Entry, options: Options) -> bool:
    """Whether the score of an entry is high enough."""
    least = options.min_score
    return least is None or (entry.score is not None and entry.score >= least)


def sizes(shard: str | None = None) -> Records:
    """The records of images' sizes, by which unchanged crops are known undecoded.

    shard  whose job asks
    """
    depends = {"code": code_version(decode)}
    return Records(RECORDS / "extract_classes", depends, shard)


def plan(
    row: dict, choice: Choice, width: int, height: int, options: Options
) -> Iterator[Crop | str]:
    """Yield the crops to make of an image; for a box that gives none, the reason.

    row            of the manifest
    width, height  of the upright image

    What the options leave out is not among them.
    """
    written = crop_names.encoded(choice.classes)
    for entry in filter(lambda entry: passes(entry, options), choice.wanted):
        place = f"class {entry.name!r}, entry {entry.place}"
        if not crop_window.touches(entry.box, width, height):
            yield f"{place}: its box {list(entry.box)} lies outside the image"
            continue
        shown = crop_window.around(entry.box, options.square, options.margin)
        if options.skip_partial and crop_window.reaches_outside(shown, width, height):
            continue
        shown = crop_window.within(shown, width, height, options.square)
        name = crop_names.file_name(
            row["stem"], written[entry.name], entry.place, entry.of
        )
        if len(os.fsencode(name)) > crop_names.LONGEST:
            yield f"{place}: its crop's file name would be too long: {name}"
        elif max(shown[2] - shown[0], shown[3] - shown[1]) > encode.MAX_SIDE:
            yield f"{place}: a JPEG has at most {encode.MAX_SIDE} pixels a side"
        else:
            yield _crop(row, choice, entry, name, shown, options.background)


def _crop(
    row: dict,
    choice: Choice,
    entry: Entry,
    name: str,
    shown: crop_window.Window,
    background: str,
) -> Crop:
    provenance = {
        "image": row["path"],
        "digest": row["digest"],
        "class": entry.name,
        "box": list(entry.box),
        "score": entry.score,
        "crop": list(shown),
    }
    sidecar = {
        **sidecars.travelling(choice.sidecar),
        "provenance": provenance,
        "classes": boxes.moved(choice.every, shown),
    }
    code = code_version(decode, encode)
    return Crop(name, digest_value([sidecar, background, code]), shown, sidecar)


def run(
    manifest: str,
    table: str,
    failed: str,
    bucket: str,
    options: Options,
    workers: int = 1,
) -> None:
    """Cut out the boxes of one shard.

    table   written: {path, found: how many boxes of the classes asked for, crops: ledger
            rows, classes: those the sidecar has, missing: those asked for that it has
            not, unusable: why boxes could not be used} per image
    failed  written: a `failure` per image that could not be processed
    bucket  target folder, relative to the dataset

    Raises SystemExit, before tables are written, when images changed meanwhile.
    """
    shard = Path(manifest).stem
    make = functools.partial(Cutter, shard, bucket, options)
    done, failures = work("extract_classes", manifest, make, workers)
    sizes(shard).compact()
    for row in done:
        for reason in row["unusable"]:
            log.warning("%s: %s", row["path"], reason)
    write_table(failed, failures)
    write_table(table, done)


class Cutter:
    """Works on one image after another."""

    def __init__(self, shard: str, bucket: str, options: Options):
        self.options = options
        self.sizes = sizes(shard)
        self.part = Part(Ledgers(bucket, state_of(bucket)), shard)

    def __call__(self, row: dict) -> dict:
        """Cut the boxes out of one manifest row's image; returns its row of the table."""
        image = functools.cache(lambda: verified_read.read(row, self.options))
        choice = choose(sidecars.read(row["path"]), self.options)
        result = {
            "path": row["path"],
            "found": len(choice.wanted),
            "crops": [],
            "classes": choice.classes,
            "missing": choice.missing,
            "unusable": choice.unusable,
            "computed": False,
        }
        if not choice.wanted:
            return result
        size = self._size(row["digest"], image)
        decode.check_size(size[0] * size[1], self.options.max_pixels)
        for crop in plan(row, choice, *size, self.options):
            if isinstance(crop, str):
                result["unusable"].append(crop)
                result["found"] -= 1
                continue
            entry, fresh = self.part.write(
                crop.name,
                crop.key,
                lambda shown=crop.window: encode.encode(_cut(image(), shown)),
                crop.sidecar,
            )
            result["crops"].append(entry.to_row())
            result["computed"] |= fresh
        return result

    def close(self) -> None:
        """Let go of files."""
        self.sizes.close()

    def _size(self, digest: str, image: Callable[[], np.ndarray]) -> list[int]:
        """[width, height] of the upright image."""
        size = self.sizes.get(digest)
        if size is None:
            height, width = image().shape[:2]
            size = [width, height]
            self.sizes.put(digest, size)
        return size


def _cut(image: np.ndarray, shown: crop_window.Window) -> np.ndarray:
    x0, y0, x1, y1 = shown
    return image[y0:y1, x0:x1]
