"""Which entries under ``classes`` detection wrote, so that it touches no others.

What is noted of an image is {path, image, made, classes}: its path, the digest of the
content that was looked at, which of sidecar and ``classes`` were not there before, and for
every class the `sidecars.signature` of all that we may have left there. A class that holds
anything else is the user's.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dtst_flow.annotations.notes import Notes
from dtst_flow.annotations.visited import Visited
from dtst_flow.dataset import sidecars
from dtst_flow.utils.files import to_json


class Ownership:
    """What detection wrote into the sidecars of a dataset.

    folder  where that is noted, one small file an image
    looked  the images looked at until now: a sidecar that moved along with its image is
            known again by them
    """

    def __init__(self, folder: str | Path, looked: Visited):
        self._notes = Notes(folder)
        self._looked = looked

    def put(self, path: str, image: str, found: dict[str, list]) -> list[str]:
        """Bring what was found into an image's sidecar.

        image  digest of the content looked at; what was found in an earlier content is
               taken out
        found  class -> entries. They replace what we wrote of that class, in whatever
               upper or lower case; what we wrote of other classes stays

        Returns the classes that were left as the user has them. Raises BrokenSidecar.
        """
        note = self._note(path, image)
        looked_for = {name.casefold() for name in found}

        def stays(name: str) -> bool:
            return note["image"] == image and name.casefold() not in looked_for

        return self._merge(note, image, stays, found)

    def clear(
        self, path: str, wanted: Callable[[str], bool], image: str | None = None
    ) -> list[str]:
        """Take what we wrote of the classes `wanted` out of an image's sidecar.

        image  digest of the image's content, None when it is gone

        Returns these classes. Raises BrokenSidecar.
        """
        note = self._note(path, image)
        gone = sorted(filter(wanted, note["classes"]))
        if gone:
            self._merge(note, note["image"], lambda name: not wanted(name), {})
        return gone

    def classes(self, path: str) -> list[str]:
        """The classes that we wrote into an image's sidecar, sorted."""
        return sorted(self._note(path)["classes"])

    def _note(self, path: str, image: str | None = None) -> dict:
        note = self._notes.get(path)
        if note is None and image and "classes" in sidecars.read(path):
            note = self._note_elsewhere(image)
        empty = {"image": None, "made": [], "classes": {}}
        # Whatever a note says of its path, it is about the image that it was kept for.
        return (note or empty) | {"path": path}

    def _note_elsewhere(self, image: str) -> dict | None:
        """What was noted of the same content under another path."""
        notes = map(self._notes.get, self._paths.get(image, ()))
        return next((n for n in notes if n and n["image"] == image), None)

    @functools.cached_property
    def _paths(self) -> dict[str, list[str]]:
        paths: dict[str, list[str]] = {}
        for row in self._looked.rows():
            paths.setdefault(row["digest"], []).append(row["path"])
        return paths

    def _merge(
        self,
        note: dict,
        image: str,
        stays: Callable[[str], bool],
        found: dict[str, list],
    ) -> list[str]:
        """Leave those of our classes that stay, put in what was found."""
        path = note["path"]
        sidecar = sidecars.read(path)
        present = classes_of(sidecar, path)
        ours, users = _tell_apart(present, note["classes"])
        now = {name: value for name, value in ours.items() if stays(name)}
        now |= {name: value for name, value in found.items() if name not in users}
        same = {
            name: value
            for name, value in users.items()
            if name in found and value == found[name]
        }
        done = {
            "path": path,
            "image": image,
            "made": _made(note, sidecar, known_again=bool(same) and same == present),
            "classes": {n: [s] for n, s in sidecars.signature(now | same).items()},
        }
        content = sidecar | {"classes": users | dict(sorted(now.items()))}
        if not content["classes"] and "classes" in done["made"]:
            del content["classes"]
        if to_json(content) != to_json(sidecar):
            # A kill must leave nothing that is not noted, nor what is old as if new.
            names = note["classes"] | done["classes"]
            before, after = note["classes"], done["classes"]
            both = {name: before.get(name, []) + after.get(name, []) for name in names}
            self._notes.put(path, note | {"made": done["made"], "classes": both})
            sidecars.write(path, content, remove_empty="sidecar" in done["made"])
        if done != note:
            self._notes.put(path, done)
        return sorted(name for name in found if name in users and name not in same)


def _tell_apart(present: dict, noted: dict[str, list[str]]) -> tuple[dict, dict]:
    """Split the classes of a sidecar into ours and the user's."""
    signed = sidecars.signature(present)
    ours = {n: value for n, value in present.items() if signed[n] in noted.get(n, ())}
    users = {n: value for n, value in present.items() if n not in ours}
    return ours, users


def _made(note: dict, sidecar: dict, known_again: bool) -> list[str]:
    """Which of sidecar and ``classes`` are there because of us.

    known_again  all that stands under ``classes`` is what was found
    """
    if not sidecars.path_of(note["path"]).exists():
        return ["sidecar", "classes"]
    if note["image"] is None and known_again:  # from before the notes were lost
        return ["classes"] if sidecar.keys() - {"classes"} else ["sidecar", "classes"]
    before = note["made"]
    return before if "classes" in sidecar else sorted({*before, "classes"})


def classes_of(sidecar: dict, path: str) -> dict[str, Any]:
    """What a sidecar holds under ``classes``. Raises BrokenSidecar if it is no object."""
    classes = sidecar.get("classes", {})
    if not isinstance(classes, dict):
        raise sidecars.BrokenSidecar(
            f"sidecar {str(sidecars.path_of(path))!r}: 'classes' is no object"
        )
    return classes
