"""What is known of a photo: the keys of its sidecar, and what Google Takeout tells of it.

Takeout writes ``photo.jpg.json``, which is the sidecar then, or since 2024
``photo.jpg.supplemental-metadata.json``, whose end is cut off where the name is long.
"""

import logging
import os
import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.image_names import is_image

log = logging.getLogger(__name__)

TAKEOUT = ".supplemental-metadata"
"""What Takeout adds to a photo's name, before ``.json``."""

LONGEST = 46
"""Characters that Takeout leaves of such a name, without ``.json``."""

NUMBERED = re.compile(r"(.+)(\(\d+\))(\.[^.]+)")
"""A photo's name that Takeout has numbered; the number comes last in that of its file."""

PRIVATE = (
    *("gps*", "geo", "geodata*", "geotag*", "geolocation*", "coordinates", "location*"),
    *("lat", "latitude*", "lon", "lng", "longitude*", "altitude*", "place", "places"),
    *("address*", "city", "country*", "sublocation*", "url", "urls"),
    *("people", "person*", "region*"),
)
"""Patterns of keys that tell where a photo was taken, who is in it, and where it is on the
web; in lower case, letters and digits alone, without a group such as ``EXIF:``."""


def takeout_names(image: str) -> list[str]:
    """Give the names that Takeout's file about an image may have, besides a sidecar's.

    Args:
        image: The image's path.
    """
    folder, slash, name = image.rpartition("/")
    names = [f"{name}{TAKEOUT}"[:LONGEST]]
    if numbered := NUMBERED.fullmatch(name):
        stem, number, suffix = numbered.groups()
        names.append(f"{stem}{suffix}{TAKEOUT}"[:LONGEST] + number)
        names.append(f"{stem}{suffix}{number}")
    return [f"{folder}{slash}{n}.json" for n in names if not is_image(n)]


def read(image: str) -> dict[str, Any]:
    """Read what is known of an image; what its sidecar says counts more.

    Raises:
        BrokenSidecar: The sidecar cannot be read or is no JSON object. Takeout's file is
            ignored then, with a warning.
    """
    known = sidecars.read(image)
    for name in takeout_names(image):
        try:
            told = sidecars.read(name.removesuffix(".json"))
        except sidecars.BrokenSidecar as error:
            log.warning("%s; it is ignored", error)
            continue
        known = {k: v for k, v in told.items() if k not in sidecars.PIXEL_BOUND} | known
    return known


def for_crops(
    image: str, keep: str | list[str] | None
) -> tuple[dict[str, Any], list[str]]:
    """Read what crops of an image take along, of which none needs a sidecar.

    Args:
        image: The image's path.
        keep: As `travelling` takes it.

    Returns:
        The keys, and why its sidecar could not be used, if it could not.
    """
    try:
        return travelling(read(image), keep), []
    except sidecars.BrokenSidecar as error:
        log.warning("%s; crops are made without it", error)
        return {}, [str(error)]


def travelling(keys: dict[str, Any], keep: str | list[str] | None) -> dict[str, Any]:
    """Choose what of an image's keys a crop of it gets.

    Args:
        keys: Those of the image.
        keep: Patterns of keys, a comma list or a list; None for all but PRIVATE ones, at
            any depth. Those that speak of the image's pixels never travel.
    """
    true_of_crops = sidecars.travelling(keys)
    if keep is None:
        public: dict[str, Any] = _public(true_of_crops)
        return public
    patterns = keep.split(",") if isinstance(keep, str) else keep
    patterns = [pattern.strip() for pattern in patterns]
    return {
        k: v for k, v in true_of_crops.items() if any(_fits(k, p) for p in patterns)
    }


def _fits(key: str, pattern: str) -> bool:
    return key == pattern or fnmatchcase(key, pattern)


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _public(v) for k, v in value.items() if not _is_private(k)}
    return [_public(inner) for inner in value] if isinstance(value, list) else value


def _is_private(key: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", key.rpartition(":")[2].casefold())
    return any(fnmatchcase(plain, pattern) for pattern in PRIVATE)


def names(image: str, files: Collection[str]) -> Iterator[str]:
    """Yield which of some files tell of an image, its sidecar first."""
    every = (sidecars.name_of(image), *takeout_names(image))
    return (name for name in every if name in files)


def is_sidecar(path: str, files: Collection[str]) -> bool:
    """Tell whether a file is the sidecar of an image among some files.

    Args:
        path: The file.
        files: The others: images, and what tells of them.
    """
    image = path.removesuffix(".json")
    return image != path and image in files and not image.endswith(".json")


def strays(files: Collection[str]) -> list[str]:
    """List those of some files that are JSON and tell of no image among them."""
    unknown = [p for p in files if p.endswith(".json") and not is_sidecar(p, files)]
    if not unknown:
        return []
    images = (path for path in files if not path.endswith(".json"))
    told = {name for image in images for name in takeout_names(image)}
    return [path for path in unknown if path not in told]


def beside(image: Path) -> list[Path]:
    """Find the files on disk that tell of an image."""
    every = (sidecars.name_of(image), *takeout_names(str(image)))
    return [Path(name) for name in every if os.path.isfile(name)]
