"""Which crops the boxes in a sidecar ask for."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dtst_flow.annotations import boxes, crop_names, crop_window
from dtst_flow.annotations.boxes import Entry, parse_classes
from dtst_flow.annotations.crop_window import Window
from dtst_flow.cache.code_version import code_version
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.imaging import decode, encode
from dtst_flow.runtime import verified_read
from dtst_flow.utils.files import digest_value


@dataclass(frozen=True)
class Options:
    """The settings of extract-classes that its results depend on.

    Attributes:
        classes: The classes to cut out, a comma list or a list; None for all.
        square: Make crops square.
        margin: Widen a crop on all sides by this fraction of its longer side.
        skip_partial: Drop boxes whose crop reaches outside the image.
        min_score: Drop boxes with a lower score or none, None to keep all.
        background: The colour that shows through transparent pixels, "#rrggbb".
        allow_truncated: Whether to read files that are cut short, however much is missing.
        max_pixels: An image of more is refused; without effect on all others.
    """

    classes: str | list[str] | None = None
    square: bool = False
    margin: float = 0.0
    skip_partial: bool = False
    min_score: float | None = None
    background: str = decode.WHITE
    allow_truncated: bool = False
    max_pixels: int = decode.MAX_PIXELS


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
        sidecar: Our keys of its sidecar.
    """

    name: str
    key: str
    window: Window
    sidecar: dict[str, Any]


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


def passes(entry: Entry, options: Options) -> bool:
    """Whether the score of an entry is high enough."""
    least = options.min_score
    return least is None or (entry.score is not None and entry.score >= least)


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
    """
    names = crop_names.encoded(choice.classes)
    for entry in filter(lambda entry: passes(entry, options), choice.wanted):
        where = f"class {entry.name!r}, entry {entry.place}"
        if not crop_window.touches(entry.box, *size):
            yield f"{where}: its box {list(entry.box)} lies outside the image"
            continue
        window = crop_window.around(entry.box, options.square, options.margin)
        if options.skip_partial and crop_window.reaches_outside(window, *size):
            continue
        window = crop_window.within(window, *size, options.square)
        name = crop_names.file_name(row.stem, names[entry.name], entry.place, entry.of)
        if len(os.fsencode(name)) > crop_names.LONGEST:
            yield f"{where}: its crop's file name would be too long: {name}"
        elif max(window[2] - window[0], window[3] - window[1]) > encode.MAX_SIDE:
            yield f"{where}: a JPEG has at most {encode.MAX_SIDE} pixels a side"
        else:
            sidecar = _sidecar(row, choice, entry, window)
            code = code_version(decode, encode)
            key = digest_value([sidecar, verified_read.depends(options), code])
            yield Crop(name, key, window, sidecar)


def _sidecar(
    row: ManifestRow, choice: Choice, entry: Entry, window: Window
) -> dict[str, Any]:
    """Our keys of a crop's sidecar."""
    provenance = {
        "image": row.path,
        "digest": row.digest,
        "class": entry.name,
        "box": list(entry.box),
        "score": entry.score,
        "crop": list(window),
    }
    return {
        **sidecars.travelling(choice.sidecar),
        "provenance": provenance,
        "classes": boxes.moved(choice.every, window),
    }
