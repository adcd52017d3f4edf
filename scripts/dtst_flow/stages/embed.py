"""Stage embed: the images of a shard in, one row-aligned table and array out."""

import functools
import io
import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from threading import Lock

import numpy as np

from dtst_flow.annotations.boxes import is_position
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.state import RECORDS
from dtst_flow.embed import embedders
from dtst_flow.embed.base import CLIP, Embedder, Sample
from dtst_flow.faces import engines
from dtst_flow.imaging import decode, perceptual_hash
from dtst_flow.models import store
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.job import Shard
from dtst_flow.runtime.pool import Failed, each
from dtst_flow.utils.arrays import decode_vector, encode_vector
from dtst_flow.utils.files import write_atomic, write_table

DETECTOR = "dlib"
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
    background: str = decode.WHITE
    max_pixels: int = decode.MAX_PIXELS
    batch_size: int = 32


def records(
    options: Options, weights: str, shard: str | None = None, fresh: bool = False
) -> Records:
    """The records of embeddings.

    weights  digest of the model's weights
    shard    whose job asks
    fresh    overlook what is there (``--no-cache``)
    """
    model = options.model
    used = [embedders.module_of(model), decode, perceptual_hash]
    if embedders.MODELS[model].points:
        used.append(engines.module_of(DETECTOR))
    depends = {"model": model, "weights": weights, "code": code_version(*used)}
    depends["background"] = options.background
    if model == "clip":
        depends["clip_model"] = options.clip_model
    return Records(RECORDS / "embed", depends, shard, fresh)


def identity(item: dict) -> list:
    """What, besides the model, an embedding depends on; names its record.

    item  {digest, points} of an image, the latter its `stored_points`
    """
    return [item["digest"], item["points"]]


def stored_points(path: str) -> dict | None:
    """The five points that extract-faces left in a crop's sidecar, None without them.

    Returns {points, size}: they hold only for a crop that still has the size it was
    given, which shows when it is read. Raises BrokenSidecar.
    """
    provenance = sidecars.read(path).get("provenance")
    if not isinstance(provenance, dict) or not _are_points(provenance.get("points")):
        return None
    return {"points": provenance["points"], "size": provenance.get("size")}


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
    shard = Shard("embed", manifest, options.batch_size)
    wants_points = embedders.MODELS[options.model].points
    todo: list[dict] = []
    with closing(records(options, weights.digest, shard.name, fresh)) as known:
        for row in shard.rows:
            try:
                points = stored_points(row["path"]) if wants_points else None
                item = {**row, "points": points}
                record = known.get(identity(item))
                if record is not None:
                    decode.check_size(record["pixels"], options.max_pixels)
            except (sidecars.BrokenSidecar, decode.UnreadableImage) as error:
                shard.note(row["path"], Failed(str(error), cause_of(error)))
                continue
            if record is None:
                todo.append(item)
            else:
                shard.note(row["path"], {**item, "computed": False})
    make = functools.partial(EmbedWorker, shard.name, options, weights, threads)
    tasks = batched(todo, options.batch_size)
    for (batch, _), answer in each(make, tasks, parts=one_by_one):
        faults = answer if isinstance(answer, list) else [answer] * len(batch)
        for item, fault in zip(batch, faults, strict=True):
            shard.note(item["path"], fault or {**item, "computed": True})
    done, failures = shard.end()
    with closing(records(options, weights.digest, shard.name)) as known:
        known.compact()
        found = [known.get(identity(item)) for item in done]
    write_table(failed, failures)
    buffer = io.BytesIO()
    np.save(
        buffer, np.array([decode_vector(f["embedding"]) for f in found], np.float32)
    )
    write_atomic(array, buffer.getvalue())
    write_table(
        table,
        (
            {
                "path": item["path"],
                "stem": item["stem"],
                "digest": item["digest"],
                "sidecar": item["sidecar"],
                "aligned": record["aligned"],
                "hash": record["hash"],
            }
            for item, record in zip(done, found, strict=True)
        ),
    )


def batched(todo: list[dict], size: int) -> list[tuple[list[dict], list[dict]]]:
    """Batches of images to compute, each with the one that follows, to be read ahead."""
    batches = [todo[start : start + size] for start in range(0, len(todo), size)]
    return list(itertools.pairwise([*batches, []]))


def one_by_one(task: tuple[list[dict], list[dict]]) -> list:
    """The images of a batch as tasks of their own."""
    batch, _ = task
    return [([item], []) for item in batch]


class EmbedWorker:
    """Computes one batch after another; in the meantime threads read the next."""

    def __init__(self, shard: str, options: Options, weights: Weights, threads: int):
        self.loaded = LazyModels(options, weights)
        self.records = records(options, weights.digest, shard)
        self._threads = ThreadPoolExecutor(threads)
        self._coming: dict[str, Future] = {}

    def __call__(
        self, task: tuple[list[dict], list[dict]]
    ) -> list[Failed | verified_read.Changed | None]:
        """Put the records of a batch; for each image None, or why it has none.

        task  the batch, and the one that follows: {path, digest, points} of each image
        """
        batch, following = task
        for item in (*batch, *following):
            if item["path"] not in self._coming:
                coming = self._threads.submit(prepare, item, self.loaded)
                self._coming[item["path"]] = coming
        faults: list[Failed | verified_read.Changed | None] = []
        prepared, looked = [], []
        for item in batch:
            try:
                seen, found = self._coming.pop(item["path"]).result()
            except verified_read.Changed as error:
                faults.append(error)
                continue
            except (decode.UnreadableImage, ValueError) as error:
                faults.append(Failed(str(error), cause_of(error)))
                continue
            faults.append(None)
            prepared.append(seen)
            looked.append((item, found))
        vectors = self.loaded.embedder.compute(prepared) if prepared else ()
        for (item, found), vector in zip(looked, vectors, strict=True):
            self.records.put(
                identity(item), {"embedding": encode_vector(vector), **found}
            )
        return faults

    def close(self) -> None:
        """Free what was loaded."""
        self._threads.shutdown()
        self.loaded.close()


class LazyModels:
    """An embedder, and a detector for faces without points, loaded when first needed.

    Threads share it: it loads once, and detects one image at a time.
    """

    def __init__(self, options: Options, weights: Weights):
        self.options = options
        self.weights = weights
        self._embedder: Embedder | None = None
        self._detector = None
        self._lock = Lock()

    @property
    def embedder(self) -> Embedder:
        """The embedder."""
        with self._lock:
            if not self._embedder:
                options = self.options
                self._embedder = embedders.open_embedder(
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
                weights = store.resolve("dlib_68_points")
                self._detector = engines.open_engine(DETECTOR, weights.path)
            found = self._detector.find(image)
        if not found:
            return None
        return np.array(max(found, key=lambda face: face.area).points, np.float32)

    def close(self) -> None:
        """Free what was loaded."""
        for model in (self._embedder, self._detector):
            if model:
                model.close()


def prepare(item: dict, loaded: LazyModels) -> tuple[np.ndarray, dict]:
    """What the model sees of an image, and what else is recorded of it: {aligned, hash,
    pixels}.

    Raises UnreadableImage, Changed, and ValueError for points that place no face.
    """
    image = verified_read.read(item, loaded.options)
    points, how = _points(item["points"], image, loaded)
    seen = loaded.embedder.prepare(Sample(image, points))
    return seen, {
        "aligned": how,
        "hash": f"{perceptual_hash.perceptual_hash(image):016x}",
        "pixels": image.shape[0] * image.shape[1],
    }


def _points(
    stored: dict | None, image: np.ndarray, loaded: LazyModels
) -> tuple[np.ndarray | None, str | None]:
    """Five points of a face and where they came from."""
    if not embedders.MODELS[loaded.options.model].points:
        return None, None
    if stored and stored["size"] == list(image.shape[1::-1]):
        return np.array(stored["points"], np.float32), "stored"
    points = loaded.detect(image)
    return points, "centre" if points is None else "detected"
