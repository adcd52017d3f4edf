"""Which crops the boxes in a sidecar ask for."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dtst_flow.annotations import boxes, crop_bytes, crop_names, crop_window
from dtst_flow.annotations.boxes import Entry, parse_classes, spelled
from dtst_flow.annotations.crop_bytes import Boxes
from dtst_flow.annotations.crop_window import Window
from dtst_flow.cache.code_version import code_version
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.photo_keys import travelling
from dtst_flow.dataset.provenance import MARKS
from dtst_flow.imaging import decode, encode
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.verified_read import Reading
from dtst_flow.utils import json_text
from dtst_flow.utils.files import digest_value


@dataclass(frozen=True)
class Options(Reading):
    """The settings of extract-classes that its results depend on.

    Attributes:
        classes: The classes to cut out, a comma list or a list; None for all.
        square: Make crops square.
        margin: Widen a crop on all sides by this fraction of its longer side.
        skip_partial: Drop boxes whose crop reaches outside the image.
        min_score: Drop boxes with a lower score or none, None to keep all.
        keep_keys: The photo's keys that crops get, as `photo_keys.travelling` takes them.
    """

    classes: str | list[str] | None = None
    square: bool = False
    margin: float = 0.0
    skip_partial: bool = False
    min_score: float | None = None
    keep_keys: str | list[str] | None = None


@dataclass(frozen=True)
class Choice:
    """What of an image's sidecar a run is about.

    Attributes:
        sidecar: Its content.
        every: All its entries that can be used.
        wanted: Those of the classes asked for.
        missing: The classes asked for that it does not have.
        unusable: Why entries of these classes cannot be used.
    """

    sidecar: dict[str, Any]
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
    """A crop to be made.

    Attributes:
        name: Its file name.
        key: Names all that file and sidecar are made from.
        window: The pixels of the image that it shows.
        sidecar: Our keys of its sidecar, yet to be signed.
    """

    name: str
    key: str
    window: Window
    sidecar: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """What decides whether its box is left out: {class, score}."""
        provenance = self.sidecar["provenance"]
        return {name: provenance[name] for name in ("class", "score")}


def choose(sidecar: dict[str, Any], options: Options) -> Choice:
    """Read the classes of a sidecar.

    Raises:
        BrokenSidecar: They are not an object.
    """
    try:
        every, bad = boxes.read(sidecar.get("classes", {}))
    except ValueError as error:
        raise sidecars.BrokenSidecar(f"its sidecar is of no use: {error}") from error
    present = sidecar.get("classes", {})
    asked = parse_classes(options.classes)
    matches = {name: boxes.match(name, present) for name in asked or ()}
    chosen = {match[0] for match in matches.values() if len(match) == 1}
    chosen = set(present) if asked is None else chosen
    unclear = [
        f"class {name!r} may mean {' or '.join(map(repr, match))}; spell it like one"
        for name, match in matches.items()
        if len(match) > 1
    ]
    return Choice(
        sidecar=sidecar,
        every=every,
        wanted=[entry for entry in every if entry.name in chosen],
        missing=[name for name, match in matches.items() if not match],
        unusable=[reason for name, reason in bad if name in chosen] + unclear,
    )


def passes(score: float | None, least: float | None) -> bool:
    """Whether the score of an entry is high enough; None: it has none, any will do."""
    return least is None or (score is not None and score >= least)


def plan(
    row: ManifestRow, choice: Choice, size: tuple[int, int], options: Options
) -> Iterator[Crop | str]:
    """Yield the crops to make of an image; for a box that gives none, the reason.

    What the options leave out is not among them.

    Args:
        row: The image.
        choice: What its sidecar holds.
        size: (width, height) of the upright image in pixels.
        options: The settings.

    Raises:
        BrokenSidecar: The crops' sidecars would have too many bytes.
    """
    names = crop_names.encoded(choice.classes)
    windows = list(_windows(choice, size, options))
    shown = Boxes(choice.every)
    own = travelling(choice.sidecar, options.keep_keys)
    real = [window for _, window in windows if window]
    crop_bytes.check(own, len(real), shown.bytes_in(real))
    for entry, window in windows:
        where = f"class {spelled(entry.name)}, entry {entry.place}"
        if not window:
            box = list(entry.box)
            yield f"{where}: its box {box} lies outside the image: {boxes.MEANT}"
            continue
        name = crop_names.file_name(row.stem, names[entry.name], entry.place, entry.of)
        if len(os.fsencode(name)) > crop_names.LONGEST:
            yield f"{where}: its crop's file name would be too long"
        elif max(window[2] - window[0], window[3] - window[1]) > encode.MAX_SIDE:
            yield f"{where}: a JPEG has at most {encode.MAX_SIDE} pixels a side"
        else:
            ours = {"provenance": _provenance(row, entry, window)}
            moved = boxes.moved(shown.within(window), window)
            sidecar = own | ours | {"classes": moved}
            code = code_version(decode, encode)
            content = json_text.spelled(sidecar)
            depends = verified_read.depends(options)
            key = digest_value([content, sorted(MARKS), depends, code])
            yield Crop(name, key, window, sidecar)


def _windows(
    choice: Choice, size: tuple[int, int], options: Options
) -> Iterator[tuple[Entry, Window | None]]:
    """Yield the boxes to cut, each with its window; None outside the image."""
    for entry in choice.wanted:
        if not passes(entry.score, options.min_score):
            continue
        if not crop_window.touches(entry.box, *size):
            yield entry, None
            continue
        window = crop_window.around(entry.box, options.square, options.margin)
        if not (options.skip_partial and crop_window.reaches_outside(window, *size)):
            yield entry, crop_window.within(window, *size, options.square)


def _provenance(row: ManifestRow, entry: Entry, window: Window) -> dict[str, Any]:
    """Where a crop is from."""
    return {
        "image": row.path,
        "digest": row.digest,
        "class": entry.name,
        "box": list(entry.box),
        "score": entry.score,
        "crop": list(window),
    }
