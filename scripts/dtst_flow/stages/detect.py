"""Stage detect: the images of a shard in, what is in them into their sidecars."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dtst_flow import code, detect, images, sidecars
from dtst_flow.classes.entries import asked
from dtst_flow.classes.written import Written
from dtst_flow.detect import vocabulary as words
from dtst_flow.detect.vocabulary import Vocabulary
from dtst_flow.files import read_json, read_table, to_json, write_atomic, write_table
from dtst_flow.ledger import stat_of
from dtst_flow.models import ModelError, Weights
from dtst_flow.records import Records
from dtst_flow.stages import source
from dtst_flow.stages.job import STATE, Progress, each

log = logging.getLogger(__name__)

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
    background: str = images.WHITE
    max_pixels: int = images.MAX_PIXELS
    clear: bool = False


def written() -> Written:
    """What detection wrote into the sidecars of this dataset."""
    return Written(STATE / "detected")


def records(options: Options, model: str, vocabulary: Vocabulary) -> Records:
    """The records of boxes: those of all classes that the model looks for.

    model       digest of its weights
    """
    depends = {
        "model": model,
        "prompts": vocabulary.to_value()["prompts"],
        "least": _least(options),
        "background": options.background,
        "code": [code.version("detect"), code.version("images")],
    }
    return Records(STATE / "records" / "detect", depends)


def clears(options: Options) -> Callable[[str], bool]:
    """Whether `clear` takes a class out, by its name."""
    names = asked(options.classes)
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
    table       written: {path, found: class -> how many boxes, users: classes left as the
                user has them, cleared: classes taken out, sidecar: its stat} per image
    failed      written: {path, reason, sidecar} per image that could not be processed

    Raises SystemExit, before tables are written, when images changed meanwhile.
    """
    rows = list(read_table(manifest))
    shard = Path(manifest).stem
    progress = Progress("detect", shard, len(rows), workers)
    if options.clear:
        make = functools.partial(Clearer, options)
    else:
        known = Vocabulary.of_value(read_json(vocabulary))
        make = functools.partial(Finder, options, weights, known)
    done, failures = [], []
    for result in source.unchanged(each(make, rows, workers), manifest):
        computed = result.pop("computed", False)
        if "reason" in result:
            failures.append(result)
            log.warning("%(path)s: %(reason)s", result)
        else:
            done.append(result)
        progress.tick(computed, "reason" in result)
    progress.tell()
    write_table(failed, failures)
    write_table(table, done)
    log.info(
        "%s: %d images, %d computed, %d failed",
        shard,
        len(rows),
        progress.counts["computed"],
        len(failures),
    )


class Clearer:
    """Takes what detection wrote out of one sidecar after another."""

    def __init__(self, options: Options):
        self.wanted = clears(options)
        self.written = written()

    def __call__(self, row: dict) -> dict:
        """Clear the sidecar of one manifest row's image; a result or a failure."""
        path = row["path"]
        try:
            cleared = self.written.clear(path, self.wanted)
        except sidecars.BrokenSidecar as error:
            return _failure(path, error)
        return _result(path, cleared=cleared)

    def close(self) -> None:
        """There is nothing to free."""


class Finder:
    """Looks at one image after another; loads its detector when first needed."""

    def __init__(self, options: Options, weights: Weights, vocabulary: Vocabulary):
        self.options = options
        self.weights = weights
        self.vocabulary = vocabulary
        self.records = records(options, weights.digest, vocabulary)
        self.written = written()
        self._detector: detect.Detector | None = None

    def __call__(self, row: dict) -> dict:
        """Look at one manifest row's image; a result or a failure."""
        path = row["path"]
        try:
            record = self.records.get(row["digest"])
            computed = record is None
            if record is None:
                record = self._look(row)
                self.records.put(row["digest"], record)
            found = self._chosen(record)
            users = self.written.put(path, row["digest"], found)
        except source.Changed:
            return {"path": path, "changed": True}
        except (images.UnreadableImage, sidecars.BrokenSidecar) as error:
            return _failure(path, error)
        counts = {name: len(boxes) for name, boxes in found.items()}
        return _result(path, found=counts, users=users, computed=computed)

    def close(self) -> None:
        """Free the detector, if one was loaded."""
        if self._detector:
            self._detector.close()

    def _look(self, row: dict) -> dict[str, list]:
        """The record of an image: the model's class -> its boxes, best first."""
        image = source.read(row, self.options)
        if not self._detector:
            self._detector = detect.open_detector(
                self.weights, _least(self.options), self.vocabulary.prompts
            )
        record: dict[str, list] = {}
        for found in self._detector.find(image):
            box = [round(float(value), 1) for value in found.box]
            if box[0] < box[2] and box[1] < box[3]:
                entry = {"score": round(found.score, 4), "box": box}
                record.setdefault(found.name, []).append(entry)
        return record

    def _chosen(self, record: dict[str, list]) -> dict[str, list]:
        """The entries of a sidecar: class as asked for -> its boxes."""
        options = self.options
        return {
            name: [
                entry
                for entry in record.get(known, [])[: options.max_instances]
                if entry["score"] >= options.threshold
            ]
            for name, known in self.vocabulary.names.items()
        }


def _result(path: str, **values) -> dict:
    empty = {"found": {}, "users": [], "cleared": []}
    return {"path": path, **empty, **values, "sidecar": _sidecar_stat(path)}


def _failure(path: str, error: Exception) -> dict:
    return {"path": path, "reason": str(error), "sidecar": _sidecar_stat(path)}


def _sidecar_stat(path: str) -> list[int] | None:
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
            if _sidecar_stat(row["path"]) != row["sidecar"]
        }
    )
