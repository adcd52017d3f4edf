"""Which entries under ``classes`` detection wrote, so that it touches no others.

A note of each image tells what we may have left in its sidecar. A class that holds anything
else is the user's.
"""

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from dtst_flow.annotations.boxes import Classes
from dtst_flow.annotations.notes import Notes
from dtst_flow.annotations.visited import Visited
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import escapes
from dtst_flow.utils.files import to_json

REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""Errors by which a system says that a folder of photos is not to be written into."""


class Note(TypedDict):
    """What is noted of an image.

    Attributes:
        path: Its path.
        image: Digest of the content that was looked at.
        made: Which of ``sidecar`` and ``classes`` did not exist before.
        classes: The `sidecars.signature` of all that we may have left in each class.
    """

    path: str
    image: str | None
    made: list[str]
    classes: dict[str, list[str]]


class Ownership:
    """What detection wrote into the sidecars of a dataset.

    Args:
        folder: Where that is noted, in one small file for each image.
        visited: The images looked at until now; with them a sidecar is recognised that
            moved along with its image.
    """

    def __init__(self, folder: str | Path, visited: Visited) -> None:
        self._notes = Notes(folder)
        self._visited = visited

    def put(self, path: str, image: str, classes: Classes) -> list[str]:
        """Bring what was found into an image's sidecar.

        Args:
            path: The image's path.
            image: Digest of the content looked at; what was found in an earlier content
                is taken out.
            classes: The entries of each class. They replace what we wrote of that class,
                whatever its case; what we wrote of other classes stays.

        Returns:
            The classes that were left as the user has them.

        Raises:
            BrokenSidecar: The sidecar cannot be read, or its ``classes`` are no object.
        """
        note = self._note(path, image)
        looked_for = {name.casefold() for name in classes}

        def stays(name: str) -> bool:
            return note["image"] == image and name.casefold() not in looked_for

        return self._merge(note, image, stays, classes)

    def clear(
        self, path: str, wanted: Callable[[str], bool], image: str | None = None
    ) -> list[str]:
        """Take what we wrote of some classes out of an image's sidecar.

        Args:
            path: The image's path.
            wanted: Tells of a class whether to take it out.
            image: Digest of the image's content; None if the image is gone.

        Returns:
            The classes taken out.

        Raises:
            BrokenSidecar: The sidecar cannot be read, or its ``classes`` are no object.
        """
        note = self._note(path, image)
        gone = sorted(filter(wanted, note["classes"]))
        if gone:
            self._merge(note, note["image"], lambda name: not wanted(name), {})
        return gone

    def classes(self, path: str) -> list[str]:
        """List the classes that we wrote into an image's sidecar, sorted."""
        return sorted(self._note(path)["classes"])

    def _note(self, path: str, image: str | None = None) -> Note:
        note = self._noted(path)
        if note is None and image and "classes" in (sidecar := sidecars.read(path)):
            note = self._note_elsewhere(image, classes_of(sidecar, path))
            if note:
                # Before anything else, as the one under the old path may go with this run.
                self._notes.put(path, note | {"path": path})
        # Whatever path a note gives, it is about the image that it was kept for.
        if note:
            return note | {"path": path}
        return {"image": None, "made": [], "classes": {}, "path": path}

    def _note_elsewhere(self, image: str, present: dict[str, Any]) -> Note | None:
        """Find the note of a sidecar that moved along with its image.

        It is one of the same content, or where that was replaced as well, one that tells
        of what the sidecar holds.
        """
        notes = filter(None, map(self._noted, self._paths.get(image, ())))
        alike = [note for note in notes if note["image"] == image]
        signed = sidecars.signature(present)
        for note in alike:
            if any(
                signed.get(name) in known for name, known in note["classes"].items()
            ):
                return note
        for name, signature in signed.items():
            for note in self._moved.get((name, signature), ()):
                if all(signed.get(n) in known for n, known in note["classes"].items()):
                    return note
        return next(iter(alike), None)

    @functools.cached_property
    def _moved(self) -> dict[tuple[str, str], list[Note]]:
        """The notes of images that are gone with their sidecars, by what was in these."""
        moved: dict[tuple[str, str], list[Note]] = {}
        for path in dict.fromkeys(row["path"] for row in self._visited.rows()):
            if os.path.exists(path) or os.path.exists(sidecars.name_of(path)):
                continue
            if note := self._noted(path):
                for name, signatures in note["classes"].items():
                    for signature in signatures:
                        moved.setdefault((name, signature), []).append(note)
        return moved

    def _noted(self, path: str) -> Note | None:
        """The note of a path; one that is not as we write it is none."""
        note: Note | None = self._notes.get(path)
        return note if _is_note(note) else None

    @functools.cached_property
    def _paths(self) -> dict[str, list[str]]:
        paths: dict[str, list[str]] = {}
        for row in self._visited.rows():
            paths.setdefault(row["digest"], []).append(row["path"])
        return paths

    def _merge(
        self,
        note: Note,
        image: str | None,
        stays: Callable[[str], bool],
        entries: Classes,
    ) -> list[str]:
        """Leave those of our classes that stay, and add the entries."""
        path = note["path"]
        sidecar = sidecars.read(path)
        present = classes_of(sidecar, path)
        ours, users = _tell_apart(present, note["classes"])
        now = {name: value for name, value in ours.items() if stays(name)}
        now |= {name: value for name, value in entries.items() if name not in users}
        same = {
            name: value
            for name, value in users.items()
            if name in entries and value == entries[name]
        }
        done: Note = {
            "path": path,
            "image": image,
            "made": _made(note, sidecar, known_again=bool(same) and same == present),
            "classes": {n: [s] for n, s in sidecars.signature(now | same).items()},
        }
        content = sidecar | {"classes": users | dict(sorted(now.items()))}
        if not content["classes"] and "classes" in done["made"]:
            del content["classes"]
        if to_json(content) != to_json(sidecar):
            # A kill must leave nothing that is not noted, nor anything old as if new.
            names = note["classes"] | done["classes"]
            before, after = note["classes"], done["classes"]
            both = {name: before.get(name, []) + after.get(name, []) for name in names}
            self._notes.put(path, note | {"made": done["made"], "classes": both})
            made = "sidecar" in done["made"]
            if made and not users and content.keys() <= {"classes"}:
                _write(sidecars.write, path, content, True)
            else:
                _write(sidecars.edit, path, content, made)
        if done != note:
            self._notes.put(path, done)
        return sorted(name for name in entries if name in users and name not in same)


def _is_note(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("image"), str | None)
        and isinstance(value.get("made"), list)
        and isinstance(value.get("classes"), dict)
        and all(isinstance(signed, list) for signed in value["classes"].values())
    )


def _write(
    how: Callable[..., None], path: str, content: dict[str, Any], remove_empty: bool
) -> None:
    """Write a sidecar beside a photo, which may lie where only others may write.

    Args:
        how: `sidecars.write` where all of it is ours, else `sidecars.edit`.
        path: The photo.
        content: What the sidecar is to hold.
        remove_empty: Whether to remove it if that is nothing.

    Raises:
        BrokenSidecar: It cannot be written there, the next run tries it again; or it would
            be outside of the dataset.
    """
    folder = os.path.dirname(path)
    if escapes(".", folder):
        raise sidecars.BrokenSidecar(
            f"{folder!r} leads out of the dataset folder by a link, and nothing is "
            "written there"
        )
    try:
        how(path, content, remove_empty)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        name = sidecars.name_of(path)
        raise sidecars.BrokenSidecar(
            f"sidecar {name!r} cannot be written: {error.strerror}; detect keeps "
            "boxes beside the photos, whose folder must be writable"
        ) from error


def _tell_apart(
    present: dict[str, Any], noted: dict[str, list[str]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the classes of a sidecar into ours and the user's."""
    signed = sidecars.signature(present)
    ours = {n: value for n, value in present.items() if signed[n] in noted.get(n, ())}
    users = {n: value for n, value in present.items() if n not in ours}
    return ours, users


def _made(note: Note, sidecar: dict[str, Any], known_again: bool) -> list[str]:
    """Tell which of sidecar and ``classes`` exist because of us.

    Args:
        note: What was noted of the image before.
        sidecar: The content of its sidecar.
        known_again: Whether all that ``classes`` holds is what was found.
    """
    if not sidecars.path_of(note["path"]).exists():
        return ["sidecar", "classes"]
    if note["image"] is None and known_again:  # from before the notes were lost
        return ["classes"] if sidecar.keys() - {"classes"} else ["sidecar", "classes"]
    before = note["made"]
    return before if "classes" in sidecar else sorted({*before, "classes"})


def classes_of(sidecar: dict[str, Any], path: str) -> dict[str, Any]:
    """Give what a sidecar holds under ``classes``.

    Args:
        sidecar: Its content.
        path: The image's path.

    Raises:
        BrokenSidecar: It is no object.
    """
    classes = sidecar.get("classes", {})
    if not isinstance(classes, dict):
        raise sidecars.BrokenSidecar(
            f"sidecar {str(sidecars.path_of(path))!r}: 'classes' is no object"
        )
    return classes
