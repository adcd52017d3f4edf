"""Stage embed: the images of a shard in, one row-aligned table and array out."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from dtst_flow import code, embed, images, models, sidecars
from dtst_flow.arrays import decode, encode
from dtst_flow.classes.entries import is_position
from dtst_flow.embed import CLIP, Sample
from dtst_flow.faces import open_engine
from dtst_flow.files import read_table, write_atomic, write_table
from dtst_flow.models import Weights
from dtst_flow.perceptual import perceptual_hash
from dtst_flow.records import Records
from dtst_flow.stages import source
from dtst_flow.stages.job import STATE, Progress

log = logging.getLogger(__name__)

DETECTOR = "faces.dlib"
"""What finds the points of faces that come without; its model is always at hand."""


@dataclass(frozen=True)
class Options:
    """The parameters of embed.

    model       a key of `embed.MODELS`
    clip_model  which of OpenCLIP's models clip is
    background  colour that shows through transparent pixels, "#rrggbb"
    max_pixels  an image of more is refused; of no effect on all others
    batch_size  images computed at once, at most; of no effect on the results
    """

    model: str
    clip_model: str = CLIP
    background: str = images.WHITE
    max_pixels: int = images.MAX_PIXELS
    batch_size: int = 32


def records(options: Options, weights: str, fresh: bool = False) -> Records:
    """The records of embeddings.

    weights  digest of the model's weights
    fresh    overlook what is there (``--no-cache``)
    """
    model = options.model
    used = [f"embed.{model}", "images", "perceptual"]
    if embed.MODELS[model].points:
        used.append(DETECTOR)
    versions = [code.version(name) for name in used]
    depends = {"model": model, "weights": weights, "code": versions}
    depends["background"] = options.background
    if model == "clip":
        depends["clip_model"] = options.clip_model
    return Records(STATE / "records" / "embed", depends, fresh)


def identity(row: dict, points: list | None) -> list:
    """What, besides the model, an embedding depends on; names its record."""
    return [row["digest"], points]


def stored_points(path: str, max_pixels: int) -> list[list[float]] | None:
    """The five points that extract-faces left in a crop's sidecar, None without them.

    They hold only for a crop that still has the size it was given.
    """
    provenance = sidecars.read(path).get("provenance")
    if not isinstance(provenance, dict):
        return None
    points = provenance.get("points")
    if not _are_points(points):
        return None
    size = images.size(path, max_pixels)
    return points if list(size) == provenance.get("size") else None


def _are_points(value: object) -> bool:
    """Whether a JSON value is five pairs of positions that an image may have."""
    return (
        isinstance(value, list)
        and [isinstance(pair, list) and len(pair) for pair in value] == [2] * 5
        and all(is_position(number) for pair in value for number in pair)
    )


def run(
    manifest: str,
    table: str,
    array: str,
    failed: str,
    options: Options,
    weights: Weights,
    threads: int = 1,
    fresh: bool = False,
) -> None:
    """Embed one shard.

    table   written: {path, stem, digest, sidecar, aligned, hash} per embedded image, in
            the order of the array's rows; `aligned` says where a face's points came
            from: stored, detected, or centre for none (whole images: None); `hash` is
            the image's perceptual hash, 16 hexadecimal digits
    array   written: (n, d) float32 .npy, rows of length 1
    failed  written: {path, reason} per image that could not be embedded

    Raises SystemExit, before tables are written, when images changed meanwhile.
    """
    rows = list(read_table(manifest))
    shard = Path(manifest).stem
    progress = Progress("embed", shard, len(rows), options.batch_size)
    loaded = Lazy(options, weights)
    cache = records(options, weights.digest, fresh)
    known: dict[str, dict] = {}
    failures: list[dict] = []
    changed: list[str] = []
    todo: list[tuple[dict, list | None]] = []
    wants_points = embed.MODELS[options.model].points
    for row in rows:
        try:
            points = _stored_points(row, options) if wants_points else None
        except source.Changed:
            changed.append(row["path"])
            continue
        except (sidecars.BrokenSidecar, images.UnreadableImage) as error:
            failures.append({"path": row["path"], "reason": str(error)})
            progress.tick(failed=True)
            continue
        record = cache.get(identity(row, points))
        if record is None:
            todo.append((row, points))
        else:
            known[row["path"]] = record
            progress.tick()
    for (row, points), result in embed_all(todo, loaded, threads):
        if isinstance(result, source.Changed):
            changed.append(row["path"])
        elif isinstance(result, str):
            failures.append({"path": row["path"], "reason": result})
            log.warning("%s: %s", row["path"], result)
            progress.tick(failed=True)
        else:
            cache.put(identity(row, points), result)
            known[row["path"]] = result
            progress.tick(computed=True)
    progress.tell()
    loaded.close()
    source.refuse(changed, Path(manifest).parent.parent)
    done = [row for row in rows if row["path"] in known]
    vectors = [decode(known[row["path"]]["embedding"]) for row in done]
    write_table(failed, sorted(failures, key=lambda row: row["path"]))
    buffer = io.BytesIO()
    np.save(buffer, np.array(vectors, np.float32))
    write_atomic(array, buffer.getvalue())
    write_table(
        table,
        (
            {
                "path": row["path"],
                "stem": row["stem"],
                "digest": row["digest"],
                "sidecar": row["sidecar"],
                "aligned": known[row["path"]]["aligned"],
                "hash": known[row["path"]]["hash"],
            }
            for row in done
        ),
    )
    log.info(
        "%s: %d images, %d computed, %d from records, %d failed",
        shard,
        len(rows),
        progress.counts["computed"],
        len(done) - progress.counts["computed"],
        len(failures),
    )


def _stored_points(row: dict, options: Options) -> list[list[float]] | None:
    """`stored_points` of a manifest row's image. Raises Changed, too."""
    try:
        return stored_points(row["path"], options.max_pixels)
    except images.UnreadableImage:
        source.content(row)  # Changed, where that is the reason
        raise


class Lazy:
    """An embedder, and a detector for faces without points, loaded when first needed.

    Threads share it: it loads once, and detects one image at a time.
    """

    def __init__(self, options: Options, weights: Weights):
        self.options = options
        self.weights = weights
        self._embedder: embed.Embedder | None = None
        self._detector = None
        self._lock = Lock()

    @property
    def embedder(self) -> embed.Embedder:
        """The embedder."""
        with self._lock:
            if not self._embedder:
                options = self.options
                self._embedder = embed.open_embedder(
                    options.model,
                    self.weights.path,
                    options.batch_size,
                    options.clip_model,
                )
            return self._embedder

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        """The five points of the largest face of an image, None when none is found."""
        with self._lock:
            if not self._detector:
                weights = models.resolve("dlib_68_points")
                self._detector = open_engine("dlib", weights.path)
            found = self._detector.find(image)
        if not found:
            return None
        return np.array(max(found, key=lambda face: face.area).points, np.float32)

    def close(self) -> None:
        """Free what was loaded."""
        for model in (self._embedder, self._detector):
            if model:
                model.close()


def embed_all(
    todo: list[tuple[dict, list | None]], loaded: Lazy, threads: int
) -> Iterator[tuple[tuple[dict, list | None], dict | str | source.Changed]]:
    """Embed images in batches, reading the next batch while one is computed.

    Yields each item of `todo` with its record, with the reason of its failure, or with
    that its image changed.
    """
    for batch in read_ahead(todo, loaded, threads):
        prepared, looked, items = [], [], []
        for item, coming in batch:
            try:
                seen, found = coming.result()
            except source.Changed as error:
                yield item, error
                continue
            except (images.UnreadableImage, ValueError) as error:
                yield item, str(error)
                continue
            prepared.append(seen)
            looked.append(found)
            items.append(item)
        vectors = loaded.embedder.compute(prepared) if prepared else ()
        for item, found, vector in zip(items, looked, vectors, strict=True):
            yield item, {"embedding": encode(vector), **found}


def read_ahead(
    todo: list[tuple[dict, list | None]], loaded: Lazy, threads: int
) -> Iterator[list[tuple[tuple, Future]]]:
    """Yield batches of (item, future of what `look` gives), one batch ahead of the reader."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: list = []
        for start in range(0, len(todo), loaded.options.batch_size):
            batch = todo[start : start + loaded.options.batch_size]
            coming = [(item, pool.submit(look, item, loaded)) for item in batch]
            if ahead:
                yield ahead
            ahead = coming
        if ahead:
            yield ahead


def look(item: tuple[dict, list | None], loaded: Lazy) -> tuple[np.ndarray, dict]:
    """What the model sees of an image, and what else is recorded of it: {aligned, hash}.

    Raises UnreadableImage, Changed, and ValueError for points that place no face.
    """
    row, stored = item
    image = source.read(row, loaded.options)
    points, how = _points(stored, image, loaded)
    seen = loaded.embedder.prepare(Sample(image, points))
    return seen, {"aligned": how, "hash": f"{perceptual_hash(image):016x}"}


def _points(
    stored: list | None, image: np.ndarray, loaded: Lazy
) -> tuple[np.ndarray | None, str | None]:
    """Five points of a face and where they came from."""
    if not embed.MODELS[loaded.options.model].points:
        return None, None
    if stored is not None:
        return np.array(stored, np.float32), "stored"
    points = loaded.detect(image)
    return points, "centre" if points is None else "detected"
