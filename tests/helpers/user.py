"""A user of a dataset: does things to its folder and knows what there is theirs."""

import json
import os
import shutil
from pathlib import Path

from dtst_flow.dataset import sidecars


class User:
    """What is the user's in a dataset folder.

    files  path -> content of every file that is all theirs
    keys   image -> their keys of its sidecar; of those under ``classes`` theirs as well
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: dict[str, bytes] = {}
        self.keys: dict[str, dict] = {}
        self.edits = 0

    def is_free(self, path: str) -> bool:
        """Whether nothing stands in the way of a new file."""
        place = self.folder / path
        above = place.parent
        while not above.exists():
            above = above.parent
        return above.is_dir() and not os.path.lexists(place)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, into the one that is there if there is one; the date is odd."""
        place = self.folder / path
        if place.is_dir():
            self.delete(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        self.files[path] = content
        self._date(place)

    def _date(self, place: Path) -> None:
        """Give a file a date of the past that no other had."""
        self.edits += 1
        os.utime(place, (1_000_000_000 + self.edits,) * 2)

    def rename(self, path: str, new: str) -> None:
        """Move a file of theirs, its sidecar staying where it is."""
        (self.folder / new).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).rename(self.folder / new)
        self.files[new] = self.files.pop(path)

    def rename_sidecar(self, image: str, new: str) -> None:
        """Move the sidecar of an image, if there is one."""
        place, there = (sidecars.path_of(self.folder / each) for each in (image, new))
        if not place.is_file() or there.exists():
            return
        place.rename(there)
        for known, of, to in (
            (self.keys, image, new),
            (self.files, f"{image}.json", f"{new}.json"),
        ):
            if of in known:
                known[to] = known.pop(of)

    def rename_folder(self, path: str, new: str) -> None:
        """Move a folder with all that is in it."""
        (self.folder / path).rename(self.folder / new)
        for known in (self.files, self.keys):
            for each in [p for p in known if p.startswith(f"{path}/")]:
                known[new + each.removeprefix(path)] = known.pop(each)

    def delete(self, path: str) -> None:
        """Delete a file or a folder, and whatever is theirs in it."""
        place = self.folder / path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        for known in (self.files, self.keys):
            for each in [p for p in known if p == path or p.startswith(f"{path}/")]:
                # A sidecar outlives its image.
                if known is self.files or each != path:
                    del known[each]

    def edit_sidecar(self, image: str, keys: dict) -> None:
        """Add keys to a sidecar, or change them; of a photo's classes one by one."""
        content = self._sidecar(image)
        if content is None:
            return
        known = self.keys.setdefault(image, {})
        for each in (content, known):
            merged = each.get("classes", {}) | keys.get("classes", {})
            each.update(keys)
            if merged:
                each["classes"] = merged
        if "classes" in keys and not image.startswith("images"):
            known["classes"] = content["classes"]
        self._write_sidecar(image, content)

    def replace_sidecar(self, image: str, content: dict) -> None:
        """Write a sidecar anew, whatever it was."""
        self.files.pop(f"{image}.json", None)
        self.keys[image] = content
        self._write_sidecar(image, content)

    def break_sidecar(self, image: str) -> None:
        """Leave a sidecar as an editor does that crashed."""
        self.keys.pop(image, None)
        self.write(f"{image}.json", b'{"half": ')

    def delete_sidecar(self, image: str) -> None:
        """Delete a sidecar, be it broken or not."""
        self.keys.pop(image, None)
        self.delete(f"{image}.json")

    def _sidecar(self, image: str) -> dict | None:
        try:
            return sidecars.read(self.folder / image)
        except sidecars.BrokenSidecar:
            return None

    def _write_sidecar(self, image: str, content: dict) -> None:
        sidecars.write(self.folder / image, content, remove_empty=False)
        self._date(sidecars.path_of(self.folder / image))

    def copy_to(self, folder: Path) -> None:
        """Bring what is theirs, and nothing else, into another folder."""
        for path, content in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        for image, keys in self.keys.items():
            sidecars.write(folder / image, keys, remove_empty=False)

    def lost(self) -> list[str]:
        """What is theirs and not as they left it."""
        gone = [
            path
            for path, content in self.files.items()
            if not (self.folder / path).is_file()
            or (self.folder / path).read_bytes() != content
        ]
        for image, keys in self.keys.items():
            present = self._sidecar(image) or {}
            held = present | {"classes": present.get("classes", {})}
            for key, value in keys.items():
                if key == "classes":
                    same = held[key] | value == held[key]
                else:
                    same = held.get(key) == value
                if not same:
                    gone.append(f"{image}.json: {key}")
        return gone


def alike(path: str, ours: bytes, theirs: bytes) -> bool:
    """Whether two files are the same; the order of a sidecar's keys may show its edits."""
    if ours == theirs or not path.endswith(".json"):
        return ours == theirs
    try:
        return json.loads(ours) == json.loads(theirs)
    except ValueError:
        return False
