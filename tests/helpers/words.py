"""What a user says in the sidecars of made files: where it has to be after a run."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dtst_flow.dataset import sidecars, subjects, waiting
from dtst_flow.dataset.ledger import Ledgers
from helpers.user import User


class Words:
    """Follows the user's keys of made files, of which no two have the same value.

    A key moves with what it was said of to another file of the bucket, or waits there.

    said  key and value -> the subject that it was said of, and the file's content then
    """

    def __init__(self, user: User, folder: Path):
        self.user, self.folder = user, folder
        self.said: dict[tuple[str, str], tuple[str, bytes]] = {}

    def say(self, image: str, ledgers: Ledgers) -> None:
        """Note what the keys are of that a made file has now."""
        row = ledgers.owned()[image.partition("/")[2]]
        subject = waiting.subject_of(row, self.read(image))
        for key, value in self.user.keys.get(image, {}).items():
            content = (self.folder / image).read_bytes()
            self.said.setdefault((key, json.dumps(value)), (subject, content))

    def follow(self, ledgers: Ledgers, paths: set[str]) -> None:
        """Find the user's keys where a run has brought them, in one bucket.

        paths  the files in it that were or are the workflow's
        """
        to = ledgers.bucket.name
        files = {w.file.name: w.keys for w in waiting.read(ledgers.bucket)}
        there = {image: self.read(image) for image in sorted(paths)}
        owned = ledgers.owned()
        for image, key, value in list(self.loose(f"{to}/", paths)):
            places = [name for name in there if there[name].get(key) == value]
            place = image if image in places else next(iter(places), None)
            if place is None:
                waits = any(keys.get(key) == value for keys in files.values())
                assert waits, f"{image}: {key}, {value!r}"
                continue
            self.user.keys.setdefault(place, {})[key] = value
            if row := owned.get(place.removeprefix(f"{to}/")):
                shows = waiting.subject_of(row, there[place])
                assert self.is_of(key, value, shows, place), (image, place, key)
        for name in files:
            file = f"{to}/{waiting.FOLDER}/{name}"
            self.user.files[file] = (self.folder / file).read_bytes()

    def loose(self, start: str, paths: set[str]) -> Iterator[tuple[str, str, object]]:
        """Take the user's keys of a bucket off their files, and off those that wait."""
        for image in paths & self.user.keys.keys():
            keys = self.user.keys.pop(image)
            yield from ((image, key, value) for key, value in keys.items())
        waited = [
            p for p in self.user.files if p.startswith(f"{start}{waiting.FOLDER}/")
        ]
        for file in waited:
            keys = json.loads(self.user.files.pop(file))["keys"]
            yield from ((file, key, value) for key, value in keys.items())

    def is_of(self, key: str, value: object, shows: str, place: str) -> bool:
        """Whether a file shows what a key was said of, or a copy of it saved anew."""
        said = self.said.get((key, json.dumps(value)))
        if not (said and said[0]) or subjects.likeness(said[0], shows):
            return True
        with tempfile.NamedTemporaryFile() as before:
            before.write(said[1])
            before.flush()
            return waiting.look_alike(Path(before.name), self.folder / place)

    def read(self, image: str) -> dict:
        try:
            return sidecars.read(self.folder / image)
        except sidecars.BrokenSidecar:
            return {}
