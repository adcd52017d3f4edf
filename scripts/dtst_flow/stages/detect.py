"""Stage detect: the images of a shard in, what is in them into their sidecars."""

import functools
import logging
from collections.abc import Callable, Mapping
from itertools import chain
from types import ModuleType

from dtst_flow.annotations.boxes import parse_classes
from dtst_flow.annotations.detections import (
    Clearer,
    clear_gone,
    damaged_shards,
    named,
    ownership,
    sidecar_stat,
    visited,
    withdraw,
)
from dtst_flow.dataset.manifest import read_manifest
from dtst_flow.detect import detectors, vocabulary
from dtst_flow.detect.vocabulary import Vocabulary
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError
from dtst_flow.models.store import Weights
from dtst_flow.runtime.job import work
from dtst_flow.stages import crops
from dtst_flow.stages.contract import (
    Committed,
    Pending,
    Row,
    Settings,
    ShardJob,
    Stage,
    options_of,
)
from dtst_flow.stages.detection import Finder, Options, records
from dtst_flow.stages.shards import Shard, Tally, content_of, counted
from dtst_flow.utils.files import read_json, to_json, write_atomic
from dtst_flow.utils.tables import write_table

log = logging.getLogger(__name__)


def prepare(settings: Settings, target: str) -> None:
    """Find out what the classes asked for mean to the model, as the settings say."""
    learn(_classes(settings), weights_of(settings), target)


def learn(classes: list[str], weights: Weights, target: str) -> None:
    """Find out what classes mean to a model, for all shards.

    Args:
        classes: Those asked for.
        weights: The model's.
        target: The file to write: the `Vocabulary`.

    Raises:
        SystemExit: The model cannot find a class, or cannot be loaded.
    """
    try:
        learnt = vocabulary.learn(weights, classes)
    except ModelError as error:
        raise SystemExit(str(error)) from error
    write_atomic(target, to_json(learnt.to_value(), indent=2) + b"\n")


def _classes(settings: Settings) -> list[str]:
    return parse_classes(settings["classes"]) or []


def weights_of(settings: Settings) -> Weights:
    """Find the weights of the detector chosen. Raises ModelError."""
    name = detectors.MODELS[settings["model"]].weights
    return store.resolve(name, settings["weights"])


def run(job: ShardJob, settings: Settings) -> None:
    """Work on the images of one shard, as the settings say."""
    options = options_of(Options, settings)
    if options.clear:
        clear(job, options)
    else:
        look(job, options, weights_of(settings))


def clear(job: ShardJob, options: Options) -> None:
    """Take what detection wrote out of the sidecars of one shard's images."""
    make = functools.partial(Clearer, parse_classes(options.classes))
    _write_tables(job, *_work(job, make, options.max_seconds))


def look(job: ShardJob, options: Options, weights: Weights) -> None:
    """Look for classes in the images of one shard.

    The table gets a row {path, digest, found: class -> how many boxes, users: classes
    left as the user has them, cleared: classes taken out, sidecar: its stat} per image,
    the table of failures {path, digest, reason, sidecar}.

    Args:
        job: The files to read and write.
        options: The settings.
        weights: The detector's.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    if job.vocabulary:
        known = Vocabulary.of_value(read_json(job.vocabulary))
    else:
        known = vocabulary.learn(weights, parse_classes(options.classes) or [])
    visited().begin(job.manifest)
    make = functools.partial(Finder, job.shard, options, weights, known)
    done, failures = _work(job, make, options.max_seconds)
    records(options, weights, known, job.shard).compact()
    _write_tables(job, done, failures)


def _work(
    job: ShardJob, make: Callable[[], "Clearer | Finder"], seconds: float
) -> tuple[list[Row], list[Row]]:
    """Have the images worked on, and withdraw what was found in those that failed."""
    images = read_manifest(job.manifest)
    # As it was before, so that one mended in the meantime shows.
    before = {image.path: sidecar_stat(image.path) for image in images}
    done, failures = work("detect", job.manifest, make, job.workers, seconds)
    digests = {image.path: image.digest for image in images}
    ours = ownership()
    for row in failures:
        row["digest"] = digests[row["path"]]
        row["sidecar"] = withdraw(ours, row, before[row["path"]])
    return done, failures


def _write_tables(job: ShardJob, done: list[Row], failures: list[Row]) -> None:
    write_table(job.failed, failures)
    write_table(job.table, done)


def commit(shards: Mapping[str, Shard], failures: list[Row], bucket: str) -> Committed:
    """Clear the sidecars of images that are gone."""
    now, content = {}, 0
    for row in chain(failures, *(shard.rows() for shard in shards.values())):
        now[row["path"]] = row["digest"]
        content += content_of([(row["path"], row["sidecar"])])
    clear_gone(now)
    return Committed({"all": content}, [], [])


def models(settings: Settings) -> dict[str, str | None]:
    """The detector chosen, and what reads the names of classes for it."""
    if settings["clear"]:
        return {}
    kind, own = detectors.MODELS[settings["model"]], settings["weights"]
    text: dict[str, str | None] = {}
    if not own and kind.text is not None:
        text = {kind.text: None}
    return {kind.weights: own} | text


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """What runs the detector chosen."""
    if settings["clear"]:
        return ()
    return (detectors.module_of(weights_of(settings).path),)


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The images that were not looked at yet, or the sidecars to clear."""
    options = options_of(Options, settings)
    if options.clear:
        wanted, ours = named(parse_classes(options.classes)), ownership()
        count = sum(any(map(wanted, ours.classes(path))) for path in images)
        return Pending([], f"{count} sidecars to clear")
    weights = weights_of(settings)
    known = records(options, weights, vocabulary.learn(weights, _classes(settings)))
    return Pending(
        crops.distinct({p: d for p, d in images.items() if known.get(d) is None})
    )


def tally(row: Row) -> dict[str, int]:
    """Count the boxes of an image by classes, and what was cleared or is not detect's."""
    return {
        **{f"boxes {name}": count for name, count in row["found"].items()},
        **{f"with {name}": count > 0 for name, count in row["found"].items()},
        **{f"cleared {name}": 1 for name in row["cleared"]},
        **{f"users {name}": 1 for name in row["users"]},
    }


def describe(tally: Tally) -> list[str]:
    """What was found in how many images, or cleared from how many sidecars."""
    boxes, images = counted(tally, "boxes"), counted(tally, "with")
    if not boxes:
        cleared = counted(tally, "cleared").items()
        parts = [f"{name} from {count} sidecars" for name, count in cleared]
        return [f"cleared {', '.join(parts) or 'nothing'}"]
    parts = [f"{name} in {images[name]} ({n} boxes)" for name, n in boxes.items()]
    said = [", ".join(parts)]
    for name, count in counted(tally, "users").items():
        said.append(
            f"{count} sidecars have a {name!r} that detect did not write; they keep it"
        )
    return said


def runtimes(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The rule that may run on a GPU, with what does that."""
    if settings["clear"]:
        return {}
    is_onnx = str(settings["weights"]).endswith(".onnx")
    return {"detect": ("onnxruntime",) if is_onnx else ("torch",)}


STAGE = Stage(
    name="detect",
    rule="detect",
    collector="collect_detections",
    options=Options,
    models=models,
    code=code,
    cost_keys={"detect": ("model", "weights")},
    run=run,
    pending=pending,
    damaged_shards=damaged_shards,
    tally=tally,
    describe=describe,
    commit=commit,
    runtimes=runtimes,
    follows_sidecars=False,
)
