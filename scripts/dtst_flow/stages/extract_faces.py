"""Stage extract_faces: the images of a shard in, an aligned crop per face out."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import RECORDS, STATE, state_of
from dtst_flow.faces import crop, draw, engines
from dtst_flow.faces.base import Engine, Face
from dtst_flow.imaging import decode, encode
from dtst_flow.models.errors import loading
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.job import work
from dtst_flow.utils.files import digest_value, write_atomic, write_table


@dataclass(frozen=True)
class Options:
    """The parameters of extract-faces that its results depend on.

    engine        a key of `faces.MODELS`
    search        mediapipe only: look for small and distant faces as well
    max_size      longest side of a crop in pixels, None for the natural size
    max_faces     keep the largest so many faces of an image, None for all
    padding       fill what lies outside the image with its reflection, else black
    skip_partial  drop faces whose crop reaches outside the image
    debug         draw the faces into a copy of each image under .dtst/debug
    background    colour that shows through transparent pixels, "#rrggbb"
    max_pixels    an image of more is refused; of no effect on all others
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
    """The records of found faces: they depend on the engine, not on how crops are cut.

    model  digest of the engine's weights
    shard  whose job asks
    """
    depends = {
        "engine": options.engine,
        "search": options.search and options.engine == "mediapipe",
        "background": options.background,
        "model": model,
        "code": code_version(engines.module_of(options.engine), decode),
    }
    return Records(RECORDS / "extract_faces", depends, shard)


def run(
    manifest: str,
    table: str,
    failed: str,
    bucket: str,
    options: Options,
    weights: Weights,
    workers: int = 1,
) -> None:
    """Extract the faces of one shard.

    table   written: {path, found: how many faces, crops: ledger rows} per image
    failed  written: a `failure` per image that could not be processed
    bucket  target folder, relative to the dataset

    Raises SystemExit, before tables are written, when images changed meanwhile.
    """
    shard = Path(manifest).stem
    make = functools.partial(Extractor, shard, bucket, options, weights)
    done, failures = work("extract_faces", manifest, make, workers)
    records(options, weights.digest, shard).compact()
    write_table(failed, failures)
    write_table(table, done)


class Extractor:
    """Works on one image after another; loads its engine when first needed."""

    def __init__(self, shard: str, bucket: str, options: Options, weights: Weights):
        self.options = options
        self.weights = weights
        self.bucket = bucket
        self.records = records(options, weights.digest, shard)
        self.part = Part(Ledgers(bucket, state_of(bucket)), shard)
        self._engine: Engine | None = None

    def __call__(self, row: dict) -> dict:
        """Extract the faces of one manifest row; returns its row of the table."""
        image = functools.cache(lambda: verified_read.read(row, self.options))
        record = self.records.get(row["digest"])
        computed = record is None
        if record is None:
            record = self._find(image())
            self.records.put(row["digest"], record)
        pixels = record["width"] * record["height"]
        decode.check_size(pixels, self.options.max_pixels)
        found = [Face(f["box"], f["score"], f["points"]) for f in record["faces"]]
        if self.options.debug:
            target = STATE / "debug" / self.bucket / f"{row['stem']}.jpg"
            write_atomic(target, draw.overlay(image(), found))
        own_keys = sidecars.travelling(sidecars.read(row["path"]))
        crops = [
            self._put_crop(row, found[rank], rank, image, own_keys)
            for rank in self._kept(found, record["width"], record["height"])
        ]
        return {
            "path": row["path"],
            "found": len(found),
            "crops": crops,
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

    def _find(self, image: np.ndarray) -> dict:
        """The record of an image: its size and its faces, the largest first."""
        found = filter(_can_be_cut, self.engine.find(image))
        found = sorted(found, key=lambda face: (-face.area, face.box))
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
                for face in found
            ],
        }

    def _kept(self, found: list[Face], width: int, height: int) -> list[int]:
        """Ranks of the faces to crop; a face keeps its rank whatever is left out."""
        ranks = range(len(found))[: self.options.max_faces]
        if not self.options.skip_partial:
            return list(ranks)
        return [
            rank
            for rank in ranks
            if not crop.reaches_outside(crop.quad(found[rank].points), width, height)
        ]

    def _put_crop(
        self,
        row: dict,
        face: Face,
        rank: int,
        image: Callable[[], np.ndarray],
        own_keys: dict,
    ) -> dict:
        """Bring one crop into the bucket; returns its ledger row."""
        options = self.options
        quad = crop.quad(face.points)
        size = crop.size_of(quad, options.max_size)
        provenance = {
            "image": row["path"],
            "digest": row["digest"],
            "box": list(face.box),
            "points": crop.to_crop(face.points, quad, size).round(2).tolist(),
            "size": [size, size],
            "score": face.score,
            "engine": options.engine,
            "model": self.weights.digest,
        }
        sidecar = {**own_keys, "provenance": provenance}
        entry, _ = self.part.write(
            f"{row['stem']}_{rank:02d}.jpg",
            digest_value(
                [
                    sidecar,
                    face.points,
                    options.max_size,
                    options.padding,
                    options.background,
                    code_version(crop, encode),
                ]
            ),
            lambda: encode.encode(
                crop.cut(image(), quad, options.max_size, options.padding)
            ),
            sidecar,
        )
        return entry.to_row()


def _can_be_cut(face: Face) -> bool:
    """Whether the points span a square of a pixel or more."""
    try:
        crop.size_of(crop.quad(face.points))
    except ValueError:
        return False
    return True
