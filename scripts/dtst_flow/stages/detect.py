"""Stage detect: the images of a shard in, what is in them into their sidecars."""

import functools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.annotations.boxes import parse_classes
from dtst_flow.annotations.ownership import Ownership
from dtst_flow.annotations.visited import Visited
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.entries import Stat, stat_of, unchanged
from dtst_flow.dataset.state import RECORDS, STATE, state_of
from dtst_flow.detect import detectors
from dtst_flow.detect import vocabulary as words
from dtst_flow.detect.base import Detector
from dtst_flow.detect.vocabulary import Vocabulary
from dtst_flow.imaging import decode
from dtst_flow.models.errors import ModelError
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.job import work
from dtst_flow.utils.files import (
    read_json,
    read_table,
    to_json,
    write_atomic,
    write_table,
)

FLOOR = 0.05
"""Boxes of lower scores are not kept in records, unless the threshold is lower still: so
that another threshold computes nothing anew."""


@dataclass(frozen=True)
class Options:
    """The parameters of detect that its results depend on.

    classes        what to look for, a comma list or a list
    threshold      lowest score of a box
    max_instances  most boxes of a class in one image, the best ones
    background     colour that shows through transparent pixels, "#rrggbb"
    max_pixels     an image of more is refused; of no effect on all others
    clear          look for nothing; take out what was written of these classes, None
                   for all
    """

    classes: str | list[str] | None = None
    threshold: float = 0.2
    max_instances: int = 100
    background: str = decode.WHITE
    max_pixels: int = decode.MAX_PIXELS
    clear: bool = False


def ownership() -> Ownership:
    """What detection wrote into the sidecars of this dataset."""
    return Ownership(STATE / "detected", visited())


def visited() -> Visited:
    """The images of this dataset that detection has looked at until now."""
    return Visited(state_of(".detect"))


def records(
    options: Options,
    weights: Weights,
    vocabulary: Vocabulary,
    shard: str | None = None,
) -> Records:
    """The records of boxes: those of all classes that the model looks for.

    shard  whose job asks
    """
    depends = {
        "model": weights.digest,
        "prompts": vocabulary.to_value()["prompts"],
        "least": _least(options),
        "background": options.background,
        "code": code_version(detectors.module_of(weights.path), decode),
    }
    return Records(RECORDS / "detect", depends, shard)


def clears(options: Options) -> Callable[[str], bool]:
    """Whether `clear` takes a class out, by its name."""
    names = parse_classes(options.classes)
    return lambda name: names is None or name in names


def _least(options: Options) -> float:
    return min(options.threshold, FLOOR)


def learn(classes: list[str], weights: Weights, target: str) -> None:
    """Find out what the classes asked for mean to the model, for all shards.

    target  written: the `Vocabulary`

    Raises SystemExit for a class that the model cannot find, or a model that is missing.
    """
    try:
        vocabulary = words.learn(weights, classes)
    except ModelError as error:
        raise SystemExit(str(error)) from error
    write_atomic(target, to_json(vocabulary.to_value(), indent=2) + b"\n")


def run(
    manifest: str,
    vocabulary: str,
    table: str,
    failed: str,
    options: Options,
    weights: Weights,
    workers: int = 1,
) -> None:
    """Look for classes in the images of one shard, or take out what was found.

    vocabulary  what `learn` wrote; not read to clear
    table       written: {path, digest, found: class -> how many boxes, users: classes left
                as the user has them, cleared: classes taken out, sidecar: its stat} per
                image
    failed      written: {path, digest, reason, sidecar} per image that could not be processed

    Raises SystemExit, before tables are written, when images changed meanwhile.
    """
    if options.clear:
        make = functools.partial(Clearer, options)
    else:
        known, shard = Vocabulary.of_value(read_json(vocabulary)), Path(manifest).stem
        visited().begin(manifest)
        make = functools.partial(Finder, shard, options, weights, known)
    # As it was before, so that one mended in the meantime shows.
    before = {row["path"]: _sidecar_stat(row["path"]) for row in read_table(manifest)}
    done, failures = work("detect", manifest, make, workers)
    if not options.clear:
        records(options, weights, known, shard).compact()
    digests = {row["path"]: row["digest"] for row in read_table(manifest)}
    failures = [row | {"digest": digests[row["path"]]} for row in failures]
    ours = ownership()
    for row in failures:
        row["sidecar"] = _withdraw(ours, row, before[row["path"]])
    write_table(failed, failures)
    write_table(table, done)


class Clearer:
    """Takes what detection wrote out of one sidecar after another."""

    def __init__(self, options: Options):
        self.wanted = clears(options)
        self.written = ownership()

    def __call__(self, row: dict) -> dict:
        """Clear the sidecar of one manifest row's image; returns its row of the table."""
        path = row["path"]
        cleared = self.written.clear(path, self.wanted, row["digest"])
        return _result(row, cleared=cleared)

    def close(self) -> None:
        """There is nothing to free."""


class Finder:
    """Looks at one image after another; loads its detector when first needed."""

    def __init__(
        self, shard: str, options: Options, weights: Weights, vocabulary: Vocabulary
    ):
        self.options = options
        self.weights = weights
        self.vocabulary = vocabulary
        self.records = records(options, weights, vocabulary, shard)
        self.written = ownership()
        self._detector: Detector | None = None

    def __call__(self, row: dict) -> dict:
        """Look at one manifest row's image; returns its row of the table."""
        path = row["path"]
        record = self.records.get(row["digest"])
        computed = record is None
        if record is None:
            record = self._look(row)
            self.records.put(row["digest"], record)
        decode.check_size(record["pixels"], self.options.max_pixels)
        found = self._chosen(record["boxes"])
        users = self.written.put(path, row["digest"], found)
        counts = {name: len(boxes) for name, boxes in found.items()}
        return _result(row, found=counts, users=users, computed=computed)

    def close(self) -> None:
        """Free the detector, if one was loaded."""
        self.records.close()
        if self._detector:
            self._detector.close()

    def _look(self, row: dict) -> dict:
        """The record of an image: {pixels, boxes: the model's class -> the best first}."""
        image = verified_read.read(row, self.options)
        if not self._detector:
            self._detector = detectors.open_detector(
                self.weights, _least(self.options), self.vocabulary.prompts
            )
        boxes: dict[str, list] = {}
        for found in self._detector.find(image):
            box = [round(float(value), 1) for value in found.box]
            if box[0] < box[2] and box[1] < box[3]:
                entry = {"score": round(found.score, 4), "box": box}
                boxes.setdefault(found.name, []).append(entry)
        return {"pixels": image.shape[0] * image.shape[1], "boxes": boxes}

    def _chosen(self, boxes: dict[str, list]) -> dict[str, list]:
        """The entries of a sidecar: class as asked for -> its boxes."""
        options = self.options
        return {
            name: [
                entry
                for entry in boxes.get(known, [])[: options.max_instances]
                if entry["score"] >= options.threshold
            ]
            for name, known in self.vocabulary.names.items()
        }


def _result(row: dict, computed: bool = False, **values) -> dict:
    empty = {"found": {}, "users": [], "cleared": []}
    path, image = row["path"], row["digest"]
    known = {"path": path, "digest": image, "sidecar": _sidecar_stat(path)}
    return {**known, **empty, **values, "computed": computed}


def _withdraw(ours: Ownership, row: dict, before: Stat | None) -> Stat | None:
    """Take out what was found in a file that was another image, and can no longer be read.

    before  stat of the sidecar before the job

    Returns the stat it has by our doing; another one shows that the user mended it since.
    """
    path = row["path"]
    if _sidecar_stat(path) == before:
        with suppress(sidecars.BrokenSidecar):
            ours.put(path, row["digest"], {})
        return _sidecar_stat(path)
    return before


def _sidecar_stat(path: str) -> Stat | None:
    return stat_of(sidecars.path_of(path))


def damaged_parts(state: Path) -> list[str]:
    """The shards of which a sidecar was edited or deleted since.

    state  the folder with the tables that `run` wrote
    """
    tables = [*state.glob("detections/*.jsonl"), *state.glob("failed/*.jsonl")]
    return sorted(
        {
            table.stem
            for table in tables
            for row in read_table(table)
            if not unchanged(_sidecar_stat(row["path"]), row["sidecar"])
        }
    )
