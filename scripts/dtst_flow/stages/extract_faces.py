"""Stage extract_faces: the images of a shard in, an aligned crop per face out."""

import functools
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dtst_flow.annotations import crop_bytes
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import photo_keys, subjects
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.provenance import MARKS, sign
from dtst_flow.dataset.state import RECORDS, STATE
from dtst_flow.faces import (
    alignment,
    choice,
    crop,
    draw,
    engines,
    quality,
    record,
    sharpness,
)
from dtst_flow.faces.base import Engine
from dtst_flow.faces.quality import RankedFace
from dtst_flow.imaging import decode, encode
from dtst_flow.models import store
from dtst_flow.models.errors import loading
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.job import work
from dtst_flow.stages import crops
from dtst_flow.stages.contract import (
    Pending,
    Row,
    Settings,
    ShardJob,
    Stage,
    options_of,
)
from dtst_flow.stages.face_options import Options
from dtst_flow.stages.shards import Tally, counted
from dtst_flow.utils import json_text
from dtst_flow.utils.array_types import Pixels
from dtst_flow.utils.files import digest_value, write_atomic
from dtst_flow.utils.tables import write_table


def records(
    options: Options, models: list[Weights], shard: str | None = None
) -> Records:
    """Return the records of faces: they depend on the engine, not on how crops are cut.

    Args:
        options: The settings.
        models: The engine's.
        shard: The shard whose job asks.
    """
    depends = {
        "engine": options.engine,
        **verified_read.depends(options),
        "models": [model.digest for model in models],
        "code": code_version(engines.module_of(options.engine), decode, record),
    }
    return Records(RECORDS / "extract_faces", depends, shard)


def run(job: ShardJob, settings: Settings) -> None:
    """Extract the faces of one shard, as the settings say."""
    options = options_of(Options, settings)
    extract(job, settings["to"], options, store.resolve_all(models(settings)))


def extract(
    job: ShardJob, bucket: str, options: Options, weights: list[Weights]
) -> None:
    """Extract the faces of one shard.

    The table gets a row {path, found: how many faces, crops: ledger rows with the
    `choice.facts` of the faces, left_out: setting -> faces that it left out, unusable: why
    its sidecar could not be used} per image.

    Args:
        job: The files to read and write.
        bucket: The target folder, relative to the dataset.
        options: The settings.
        weights: The engine's models, in the order of `engines.models_of`.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    make = functools.partial(Extractor, job.shard, bucket, options, weights)
    done, failures = work(
        "extract_faces", job.manifest, make, job.workers, options.max_seconds
    )
    records(options, weights, job.shard).compact()
    write_table(job.failed, failures)
    write_table(job.table, done)


class Extractor:
    """Works on one image after another; loads its engine when first needed."""

    def __init__(
        self, shard: str, bucket: str, options: Options, weights: list[Weights]
    ):
        self.options = options
        self.weights = weights
        self.bucket = bucket
        self.records = records(options, weights, shard)
        self.part = Part(crops.ledgers_of(crops.of_faces(bucket)), shard)
        self._depends = [
            options.max_size,
            options.padding,
            verified_read.depends(options),
            sorted(MARKS),
            code_version(crop, encode, sharpness),
        ]
        """What all crops depend on."""
        self._engine: Engine | None = None

    def __call__(self, row: ManifestRow, /) -> Row:
        """Extract the faces of one image; returns its row of the table."""
        image = functools.cache(lambda: verified_read.read(row, self.options))
        known = self.records.get(row.digest)
        computed = known is None
        if known is None:
            known = record.make(image(), self.engine.find(image()))
            self.records.put(row.digest, known)
        size = known["width"], known["height"]
        decode.check_size(size[0] * size[1], self.options.max_pixels)
        found = [RankedFace.of(rank, face) for rank, face in enumerate(known["faces"])]
        if self.options.debug:
            target = STATE / "debug" / self.bucket / f"{row.stem}.jpg"
            write_atomic(target, draw.overlay(image(), [one.face for one in found]))
        own_keys, unusable = photo_keys.for_crops(row.path, self.options.keep_keys)
        crop_bytes.check(own_keys, len(found))
        entries, left_out = [], Counter[str]()
        for one in found:
            face = choice.facts(one, size)
            if setting := choice.left_out_by(face, vars(self.options)):
                left_out[setting] += 1
            else:
                entry = self._write_crop(row, one, image, own_keys)
                entries.append(entry.to_row() | face)
        return {
            "path": row.path,
            "found": len(found),
            "crops": entries,
            "left_out": dict(left_out),
            "unusable": unusable,
            "computed": computed,
        }

    def close(self) -> None:
        """Free the engine, if one was loaded."""
        self.records.close()
        if self._engine:
            self._engine.close()

    @property
    def engine(self) -> Engine:
        """The engine, loaded on first use."""
        if not self._engine:
            options = self.options
            paths = [weights.path for weights in self.weights]
            with loading(paths[0], f"model of engine {options.engine}"):
                self._engine = engines.open_engine(options.engine, paths)
        return self._engine

    def _write_crop(
        self,
        row: ManifestRow,
        found: RankedFace,
        image: Callable[[], Pixels],
        own_keys: dict[str, Any],
    ) -> Entry:
        """Bring one crop into the bucket."""
        options, face = self.options, found.face
        quad = alignment.quad(face.points)
        size = alignment.size_of(quad, options.max_size)
        provenance = {
            "image": row.path,
            "digest": row.digest,
            "box": list(face.box),
            "points": crop.to_crop(face.points, quad, size).round(2).tolist(),
            "size": [size, size],
            "score": face.score,
            "engine": options.engine,
            "model": self.weights[0].digest,
            **({"turned": face.turned} if face.turned else {}),
        }
        sidecar = {**own_keys, "provenance": provenance, "metrics": found.metrics}
        key = [
            json_text.spelled(sidecar),
            face.points,
            *self._depends,
        ]

        @functools.cache
        def content() -> bytes:
            pixels = crop.cut(image(), quad, options.max_size, options.padding)
            return encode.encode(pixels)

        @functools.cache
        def complete() -> dict[str, Any]:
            blur = round(sharpness.blur(content()), 2)
            with_blur = sidecar | {"metrics": found.metrics | {"blur": blur}}
            return sign(with_blur, content())

        name = f"{row.stem}_{found.rank:02d}.jpg"
        shows = subjects.of_box(row.digest, face.box)
        return self.part.write(name, digest_value(key), content, complete, shows)[0]


def models(settings: Settings) -> dict[str, str | None]:
    """The models of the engine chosen."""
    first, *more = engines.models_of(settings["engine"], settings["search"])
    return {first: settings["weights"], **dict.fromkeys(more)}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """The engine chosen."""
    return (engines.module_of(settings["engine"]),)


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The images in which no face was looked for yet."""
    options = options_of(Options, settings)
    known = records(options, store.resolve_all(models(settings)))
    return Pending(
        crops.distinct({p: d for p, d in images.items() if known.get(d) is None})
    )


def tally(row: Row) -> dict[str, int]:
    """Count the crops of an image, and what left faces out."""
    return {
        "crops": len(row["crops"]),
        "faceless": row["found"] == 0,
        "unusable": len(row.get("unusable", ())),
        **{f"left_out {setting}": n for setting, n in row["left_out"].items()},
    }


def describe(tally: Tally) -> list[str]:
    """How many crops there are, how many images show no face, and what left faces out."""
    said = [f"{tally['crops']} crops; {tally['faceless']} images show no face"]
    left_out = counted(tally, "left_out")
    for setting in ("max_faces", "skip_partial", *quality.LIMITS):
        if setting in left_out:
            flag = setting.replace("_", "-")
            said.append(f"{left_out[setting]} faces were left out by --{flag}")
    if unusable := tally["unusable"]:
        said.append(
            f"{unusable} sidecars could not be used; faces were cut without them"
        )
    return said


STAGE = Stage(
    name="extract_faces",
    rule="extract_faces",
    collector="collect_faces",
    options=Options,
    models=models,
    code=code,
    cost_keys={"extract_faces": ("engine", "search", "weights")},
    run=run,
    pending=pending,
    damaged_shards=crops.damaged_shards,
    tally=tally,
    describe=describe,
    commit=functools.partial(crops.commit, crops.of_faces),
    evidence=crops.of_faces,
    leaves_out=lambda crop, settings: bool(choice.left_out_by(crop, settings)),
)
