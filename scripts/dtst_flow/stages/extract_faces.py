"""Stage extract_faces: the images of a shard in, an aligned crop per face out."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import RECORDS, STATE, state_of
from dtst_flow.faces import alignment, crop, draw, engines
from dtst_flow.faces.base import Engine, Face
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
from dtst_flow.utils.array_types import Pixels
from dtst_flow.utils.files import digest_value, write_atomic, write_table


@dataclass(frozen=True)
class Options:
    """The settings of extract-faces that its results depend on.

    Attributes:
        engine: A key of `engines.MODELS`.
        search: mediapipe only: look for small and distant faces as well.
        max_size: The longest side of a crop in pixels, None for the natural size.
        max_faces: Keep the largest so many faces of an image, None for all.
        padding: Fill what is outside the image with its reflection, else with black.
        skip_partial: Drop faces whose crop reaches outside the image.
        debug: Draw the faces into a copy of each image under .dtst/debug.
        background: The colour that shows through transparent pixels, "#rrggbb".
        max_pixels: An image of more is refused; without effect on all others.
    """

    engine: str = "mediapipe"
    search: bool = True
    max_size: int | None = None
    max_faces: int | None = None
    padding: bool = True
    skip_partial: bool = False
    debug: bool = False
    background: str = decode.WHITE
    max_pixels: int = decode.MAX_PIXELS


def records(options: Options, model: str, shard: str | None = None) -> Records:
    """Return the records of faces: they depend on the engine, not on how crops are cut.

    Args:
        options: The settings.
        model: The digest of the engine's weights.
        shard: The shard whose job asks.
    """
    depends = {
        "engine": options.engine,
        "search": options.search and options.engine == "mediapipe",
        "background": options.background,
        "model": model,
        "code": code_version(engines.module_of(options.engine), decode),
    }
    return Records(RECORDS / "extract_faces", depends, shard)


def run(job: ShardJob, settings: Settings) -> None:
    """Extract the faces of one shard, as the settings say."""
    options = options_of(Options, settings)
    weights = store.resolve(engines.MODELS[options.engine], settings["weights"])
    extract(job, settings["to"], options, weights)


def extract(job: ShardJob, bucket: str, options: Options, weights: Weights) -> None:
    """Extract the faces of one shard.

    The table gets a row {path, found: how many faces, crops: ledger rows} per image.

    Args:
        job: The files to read and write.
        bucket: The target folder, relative to the dataset.
        options: The settings.
        weights: The engine's model.

    Raises:
        SystemExit: Images changed in the meantime; no table is written.
    """
    make = functools.partial(Extractor, job.shard, bucket, options, weights)
    done, failures = work("extract_faces", job.manifest, make, job.workers)
    records(options, weights.digest, job.shard).compact()
    write_table(job.failed, failures)
    write_table(job.table, done)


class Extractor:
    """Works on one image after another; loads its engine when first needed."""

    def __init__(self, shard: str, bucket: str, options: Options, weights: Weights):
        self.options = options
        self.weights = weights
        self.bucket = bucket
        self.records = records(options, weights.digest, shard)
        self.part = Part(Ledgers(bucket, state_of(bucket)), shard)
        self._engine: Engine | None = None

    def __call__(self, row: ManifestRow, /) -> Row:
        """Extract the faces of one image; returns its row of the table."""
        image = functools.cache(lambda: verified_read.read(row, self.options))
        record = self.records.get(row.digest)
        computed = record is None
        if record is None:
            record = self._find(image())
            self.records.put(row.digest, record)
        pixels = record["width"] * record["height"]
        decode.check_size(pixels, self.options.max_pixels)
        faces = [Face(f["box"], f["score"], f["points"]) for f in record["faces"]]
        if self.options.debug:
            target = STATE / "debug" / self.bucket / f"{row.stem}.jpg"
            write_atomic(target, draw.overlay(image(), faces))
        own_keys = sidecars.travelling(sidecars.read(row.path))
        entries = [
            self._write_crop(row, faces[rank], rank, image, own_keys)
            for rank in self._kept(faces, record["width"], record["height"])
        ]
        return {
            "path": row.path,
            "found": len(faces),
            "crops": entries,
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
            with loading(self.weights.path, f"model of engine {options.engine}"):
                self._engine = engines.open_engine(
                    options.engine, self.weights.path, options.search
                )
        return self._engine

    def _find(self, image: Pixels) -> dict[str, Any]:
        """The record of an image: its size and its faces, the largest first."""
        usable = filter(_can_be_cut, self.engine.find(image))
        faces = sorted(usable, key=lambda face: (-face.area, face.box))
        height, width = image.shape[:2]
        return {
            "width": width,
            "height": height,
            "faces": [
                {
                    "box": [round(float(v), 2) for v in face.box],
                    "score": round(float(face.score), 4),
                    "points": [[round(float(v), 2) for v in p] for p in face.points],
                }
                for face in faces
            ],
        }

    def _kept(self, faces: list[Face], width: int, height: int) -> list[int]:
        """Ranks of the faces to crop; a face keeps its rank whatever is left out."""
        ranks = range(len(faces))[: self.options.max_faces]
        if not self.options.skip_partial:
            return list(ranks)
        return [
            rank
            for rank in ranks
            if not alignment.reaches_outside(
                alignment.quad(faces[rank].points), width, height
            )
        ]

    def _write_crop(
        self,
        row: ManifestRow,
        face: Face,
        rank: int,
        image: Callable[[], Pixels],
        own_keys: dict[str, Any],
    ) -> dict[str, Any]:
        """Bring one crop into the bucket; returns its ledger row."""
        options = self.options
        quad = alignment.quad(face.points)
        size = crop.size_of(quad, options.max_size)
        provenance = {
            "image": row.path,
            "digest": row.digest,
            "box": list(face.box),
            "points": crop.to_crop(face.points, quad, size).round(2).tolist(),
            "size": [size, size],
            "score": face.score,
            "engine": options.engine,
            "model": self.weights.digest,
        }
        sidecar = {**own_keys, "provenance": provenance}
        key = [
            sidecar,
            face.points,
            options.max_size,
            options.padding,
            options.background,
            code_version(crop, encode),
        ]
        entry, _ = self.part.write(
            f"{row.stem}_{rank:02d}.jpg",
            digest_value(key),
            lambda: encode.encode(
                crop.cut(image(), quad, options.max_size, options.padding)
            ),
            sidecar,
        )
        return entry.to_row()


def _can_be_cut(face: Face) -> bool:
    """Whether the points span a square of a pixel or more."""
    try:
        crop.size_of(alignment.quad(face.points))
    except ValueError:
        return False
    return True


def models(settings: Settings) -> dict[str, str | None]:
    """The model of the engine chosen."""
    return {engines.MODELS[settings["engine"]]: settings["weights"]}


def code(settings: Settings) -> tuple[ModuleType, ...]:
    """The engine chosen."""
    return (engines.module_of(settings["engine"]),)


def pending(settings: Settings, images: dict[str, str]) -> Pending:
    """The images in which no face was looked for yet."""
    options = options_of(Options, settings)
    weights = store.resolve(engines.MODELS[options.engine], settings["weights"])
    known = records(options, weights.digest)
    return Pending(
        crops.distinct({p: d for p, d in images.items() if known.get(d) is None})
    )


def describe(rows: list[Row]) -> list[str]:
    """How many crops there are, and how many images show no face."""
    faceless = sum(row["found"] == 0 for row in rows)
    return [f"{crops.count(rows)} crops; {faceless} images show no face"]


STAGE = Stage(
    name="extract_faces",
    rule="extract_faces",
    collector="collect_faces",
    table="faces",
    options=Options,
    models=models,
    code=code,
    cost_keys={"extract_faces": ("engine", "search", "weights")},
    run=run,
    pending=pending,
    damaged_shards=crops.damaged_shards,
    describe=describe,
    commit=crops.commit,
)
