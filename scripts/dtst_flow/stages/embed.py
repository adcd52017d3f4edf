"""Stage embed: the images of a shard in, one row-aligned table and array out."""

import functools
import io
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.embed import embedders, recognisable
from dtst_flow.faces import engines, locate
from dtst_flow.imaging import decode
from dtst_flow.models import store
from dtst_flow.models.store import Weights
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.job import Shard
from dtst_flow.runtime.pool import each
from dtst_flow.runtime.worker import Failed
from dtst_flow.stages import crops
from dtst_flow.stages.contract import Pending, Row, Settings, ShardJob, options_of
from dtst_flow.stages.embedding import (
    Batch,
    EmbedWorker,
    Options,
    known_of,
    located_by,
    records,
)
from dtst_flow.stages.to_embed import Item, stored_item
from dtst_flow.utils import locks
from dtst_flow.utils.arrays import decode_vector
from dtst_flow.utils.files import (
    GARBAGE,
    digest_value,
    read_json,
    to_json,
    write_atomic,
)
from dtst_flow.utils.folders import user_cache
from dtst_flow.utils.tables import write_table

FLOOR = ["floor"]
"""The name of the record of a model's floor, among those of images."""


def weights_of(settings: Settings) -> Weights:
    """Find the weights of the model chosen. Raises ModelError."""
    name = embedders.registered(settings)
    return store.resolve(name, settings["weights"])


def run(job: ShardJob, settings: Settings) -> None:
    """Embed one shard, as the settings say."""
    embed(
        job,
        options_of(Options, settings),
        weights_of(settings),
        fresh=not settings["cache"],
    )


def embed(
    job: ShardJob, options: Options, weights: Weights, fresh: bool = False
) -> None:
    """Embed one shard.

    The array is (n, d) float32 .npy, rows of length 1. The table gets a row {path, stem,
    digest, sidecar, photo, box, quality, aligned, hash, recognisability} per embedded image,
    in the order of the array's rows; `photo` and `box` are the digest of the photo that a
    face is of, and where it is there, `quality` how good it is (None: not known); `aligned`
    says where a face's points came from: stored, detected, or centre for none (whole images:
    None); `hash` is the image's perceptual hash, 16 hexadecimal digits; `recognisability`
    the vector's length by that from which on the model tells faces apart
    (`recognisable.floor_of`), None where the model's lengths tell nothing.

    Args:
        job: The files to read and write.
        options: The settings.
        weights: The model's.
        fresh: Overlook what is known and compute all images again.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    shard = Shard("embed", job.manifest, options.batch_size)
    todo = _look_up(shard, options, weights, fresh)
    make = functools.partial(EmbedWorker, shard.name, options, weights)
    tasks = batched(todo, options.batch_size)
    patience = shard.patience(options.max_seconds)
    for (batch, _), answer in each(make, tasks, job.workers, one_by_one, patience):
        faults = answer if isinstance(answer, list) else [answer] * len(batch)
        for item, fault in zip(batch, faults, strict=True):
            shard.note(item.path, fault or {**_known(item), "computed": True})
    done, failures = shard.end()
    with closing(records(options, weights.digest, shard.name)) as known:
        known.compact()
        values = [known.get([row["digest"], row["points"]]) or {} for row in done]
    write_table(job.failed, failures)
    buffer = io.BytesIO()
    vectors = [decode_vector(value["embedding"]) for value in values]
    np.save(buffer, np.array(vectors, np.float32))
    write_atomic(job.array, buffer.getvalue())
    floor = _floor(shard.name, options, weights, fresh) if done else None
    told = (
        {
            "aligned": value["aligned"],
            "hash": value["hash"],
            "recognisability": round(value["length"] / floor, 3) if floor else None,
        }
        for value in values
    )
    write_table(
        job.table,
        ({**_columns(row), **more} for row, more in zip(done, told, strict=True)),
    )


def _floor(shard: str, options: Options, weights: Weights, fresh: bool) -> float | None:
    """The model's `recognisable.floor_of`, computed once for a user's datasets."""
    if not embedders.MODELS[options.model].tells_junk:
        return None
    with closing(records(options, weights.digest, shard, fresh)) as known:
        record = known.get(FLOOR)
        memo = user_cache() / "floors" / f"{digest_value(known.depends)}.json"
        if record is None:
            with _alone(memo.parent):
                record = None if fresh else _remembered(memo)
                if record is None:
                    record = _computed_floor(options, weights)
                    known.put(FLOOR, record)
                    known.compact()
                    with suppress(OSError):
                        write_atomic(memo, to_json(record))
    floor: float | None = record["floor"]
    return floor


def _computed_floor(options: Options, weights: Weights) -> dict[str, Any]:
    model = embedders.open_embedder(options.model, weights.path, options.batch_size)
    with closing(model):
        return {"floor": recognisable.floor_of(model)}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait while another job computes a floor; where there can be no lock, do not."""
    with ExitStack() as stack:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locks.hold(folder))
        yield


def _remembered(memo: Path) -> dict[str, Any] | None:
    """What a memo says of a floor; None where there is none, or another's file."""
    with suppress(*GARBAGE):
        record: dict[str, Any] = read_json(memo)
        if record["floor"] is None or record["floor"] > 0:
            return record
    return None


def _columns(row: Row) -> Row:
    """What the table tells of an image, in the order of its columns."""
    columns = ("path", "stem", "digest", "sidecar", "photo", "box", "quality")
    return {name: row[name] for name in columns}


def _known(item: Item) -> dict[str, Any]:
    return {
        **item.image.to_row(),
        "points": item.points,
        "photo": item.photo,
        "box": item.box,
        "quality": item.quality,
    }


def _look_up(
    shard: Shard, options: Options, weights: Weights, fresh: bool
) -> list[Item]:
    """Note the images that have a record or cannot have one; returns all others."""
    wants_points = embedders.MODELS[options.model].points
    located = located_by(options)
    todo = []
    with closing(records(options, weights.digest, shard.name, fresh)) as known:
        for image in shard.rows:
            try:
                item = stored_item(image, wants_points)
                record = known_of(known, item, located)
                if record is not None:
                    decode.check_size(record["pixels"], options.max_pixels)
            except decode.UnreadableImage as error:
                shard.note(image.path, Failed(str(error), cause_of(error)))
                continue
            if record is None:
                todo.append(item)
            else:
                shard.note(image.path, {**_known(item), "computed": False})
    return todo


def batched(todo: list[Item], size: int) -> list[Batch]:
    """Return batches of images to compute, each with the one that follows."""
    batches = [todo[start : start + size] for start in range(0, len(todo), size)]
    return list(itertools.pairwise([*batches, []]))


def one_by_one(task: Batch) -> list[Batch]:
    """Return the images of a batch as tasks of their own."""
    batch, _ = task
    return [([item], []) for item in batch]


def models(settings: Settings) -> dict[str, str | None]:
    """The embedding model chosen, and those that locate faces without points."""
    chosen = {embedders.registered(settings): settings["weights"]}
    return chosen | {locate.model_of(engine): None for engine in _finders(settings)}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """The embedding model chosen, and what locates faces without points."""
    finders = map(engines.module_of, _finders(settings))
    return (embedders.module_of(settings["model"]), *finders)


def _finders(settings: Settings) -> list[str]:
    """The engines that locate faces, where the model compares such."""
    return (
        locate.engines_at_hand() if embedders.MODELS[settings["model"]].points else []
    )


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The images without an embedding."""
    options = options_of(Options, settings)
    weights = weights_of(settings).digest
    known = records(options, weights, fresh=not settings["cache"])
    points, located = embedders.MODELS[options.model].points, located_by(options)
    todo = {}
    for path, digest in images.items():
        item = stored_item(ManifestRow(path, digest, stem=""), points)
        if known_of(known, item, located) is None:
            todo[path] = digest
    return Pending(crops.distinct(todo))
