"""Embedding images in a process of its own: settings, records, and the worker."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.annotations.boxes import is_position
from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.state import RECORDS
from dtst_flow.embed import embedders, recognisable
from dtst_flow.embed.base import CLIP, Embedder, Sample
from dtst_flow.faces import engines
from dtst_flow.faces.base import Engine
from dtst_flow.imaging import decode, perceptual_hash
from dtst_flow.models import store
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.verified_read import Reading
from dtst_flow.runtime.worker import Failed
from dtst_flow.utils import pace
from dtst_flow.utils.array_types import Pixels, Vectors
from dtst_flow.utils.arrays import encode_vector

DETECTOR = "dlib"
"""What finds the points of faces that come without; its model is always at hand."""


@dataclass(frozen=True)
class Options(Reading):
    """The settings of embed.

    Attributes:
        model: A key of `embedders.MODELS`.
        clip_model: Which of OpenCLIP's models clip is.
        batch_size: Images computed at once, at most; without effect on the results.
    """

    model: str
    clip_model: str = CLIP
    batch_size: int = 32


@dataclass(frozen=True, slots=True)
class Item:
    """An image to embed.

    Attributes:
        image: As the inventory lists it.
        points: Where the five points of its face are, {points, size}, if its sidecar says
            so and the model wants points. They hold only for a crop that still has the
            size it was given, which shows when it is read.
        photo: The digest of the photo that it is a face of, if its sidecar says so.
        box: The face's box in that photo: left, top, right, bottom in pixels.
        quality: How good the face is, if its sidecar says so.
    """

    image: ManifestRow
    points: dict[str, Any] | None = None
    photo: str | None = None
    box: list[float] | None = None
    quality: float | None = None

    @property
    def path(self) -> str:
        """The image's path."""
        return self.image.path

    @property
    def digest(self) -> str:
        """That of the image's content."""
        return self.image.digest

    @property
    def identity(self) -> list[Any]:
        """What, besides the model, an embedding depends on; names its record."""
        return [self.digest, self.points]


Batch = tuple[list[Item], list[Item]]
"""Images to compute at once, and those that follow, to be read ahead."""

Fault = Failed | verified_read.Changed | None
"""Why an image has no embedding, None where it has one."""


def records(
    options: Options, weights: str, shard: str | None = None, fresh: bool = False
) -> Records:
    """Return the records of embeddings.

    Args:
        options: The settings.
        weights: The digest of the model's weights.
        shard: The shard whose job asks.
        fresh: Overlook what is there (``--no-cache``).
    """
    model = options.model
    used = [embedders.module_of(model), decode, perceptual_hash]
    if embedders.MODELS[model].points:
        used.append(engines.module_of(DETECTOR))
    if embedders.MODELS[model].tells_junk:
        used.append(recognisable)
    depends = {"model": model, "weights": weights, "code": code_version(*used)}
    depends |= verified_read.depends(options)
    if model == "clip":
        depends["clip_model"] = options.clip_model
    return Records(RECORDS / "embed", depends, shard, fresh)


def stored_item(image: ManifestRow, wants_points: bool) -> Item:
    """Return an image with what extract-faces left in its sidecar, if it is a crop.

    Args:
        image: The image.
        wants_points: Whether the model compares faces; what is known of them is of no
            account to others.

    """
    try:
        sidecar = sidecars.read(image.path) if wants_points else {}
    except sidecars.BrokenSidecar:  # another program's, which tells of no points
        sidecar = {}
    provenance = sidecar.get("provenance")
    if not isinstance(provenance, dict):
        return Item(image)
    # The digest of a frame is its video's, whose frames are no faces of one photo.
    photo = None if "video" in provenance else provenance.get("digest")
    box, points = provenance.get("box"), None
    if _are_points(provenance.get("points")):
        points = {"points": provenance["points"], "size": provenance.get("size")}
    quality = _quality(sidecar.get("metrics"))
    if not isinstance(photo, str):
        return Item(image, points, quality=quality)
    return Item(image, points, photo, box if _are_numbers(box, 4) else None, quality)


def _quality(metrics: object) -> float | None:
    """The quality among the metrics of a face, None where it is no number from 0 to 1."""
    value = metrics.get("quality") if isinstance(metrics, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= 1 else None


def _are_points(value: object) -> bool:
    """Whether a JSON value is five pairs of positions that an image may have."""
    return (
        isinstance(value, list)
        and len(value) == 5
        and all(_are_numbers(pair, 2) for pair in value)
    )


def _are_numbers(value: object, count: int) -> bool:
    """Whether a JSON value is so many positions that an image may have."""
    return (
        isinstance(value, list) and len(value) == count and all(map(is_position, value))
    )


class EmbedWorker:
    """Computes one batch after another; in the meantime a thread reads the next."""

    def __init__(self, shard: str, options: Options, weights: Weights):
        self.loaded = LazyModels(options, weights)
        self.records = records(options, weights.digest, shard)
        self._reader = ThreadPoolExecutor(1)
        self._coming: dict[str, Future[Prepared]] = {}

    def __call__(self, task: Batch, /) -> list[Fault]:
        """Put the records of a batch; returns for each image why it has none."""
        batch, following = task
        for item in (*batch, *following):
            if item.path not in self._coming:
                coming = self._reader.submit(prepare, item, self.loaded)
                self._coming[item.path] = coming
        faults: list[Fault] = []
        inputs, facts = [], []
        for item in batch:
            try:
                pixels, more = self._coming.pop(item.path).result()
            except verified_read.Changed as error:
                faults.append(error)
                continue
            except (decode.UnreadableImage, ValueError) as error:
                faults.append(Failed(str(error), cause_of(error)))
                continue
            faults.append(None)
            inputs.append(pixels)
            facts.append((item, more))
        if not inputs:
            return faults
        embedder = self.loaded.embedder
        pace.at("", images=len(inputs))
        vectors, lengths = embedder.compute(inputs)
        for (item, more), vector, length in zip(facts, vectors, lengths, strict=True):
            record = {"embedding": encode_vector(vector), "length": float(length)}
            self.records.put(item.identity, record | more)
        return faults

    def close(self) -> None:
        """Free what was loaded."""
        self._reader.shutdown()
        self.loaded.close()


class LazyModels:
    """An embedder, and a detector for faces without points, loaded when first needed.

    Threads share it: it loads once, and detects one image at a time.
    """

    def __init__(self, options: Options, weights: Weights):
        self.options = options
        self.weights = weights
        self._embedder: Embedder | None = None
        self._detector: Engine | None = None
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

    def detect(self, image: Pixels) -> Vectors | None:
        """Return the five points of the largest face of an image, None without any."""
        with self._lock:
            if not self._detector:
                weights = store.resolve(*engines.models_of(DETECTOR))
                self._detector = engines.open_engine(DETECTOR, [weights.path])
            faces = self._detector.find(image)
        if not faces:
            return None
        return np.array(max(faces, key=lambda face: face.area).points, np.float32)

    def close(self) -> None:
        """Free what was loaded."""
        for model in (self._embedder, self._detector):
            if model:
                model.close()


Prepared = tuple[NDArray[Any], dict[str, Any]]
"""What the model sees of an image, and what else is recorded of it."""


def prepare(item: Item, loaded: LazyModels) -> Prepared:
    """Read an image.

    Returns:
        What the model sees of it, and {aligned, hash, pixels}.

    Raises:
        UnreadableImage: It cannot be read.
        Changed: It is no longer what the inventory noted.
        ValueError: Its points place no face.
    """
    image = verified_read.read(item.image, loaded.options)
    points, how = _points(item.points, image, loaded)
    pixels = loaded.embedder.prepare(Sample(image, points))
    return pixels, {
        "aligned": how,
        "hash": f"{perceptual_hash.perceptual_hash(image):016x}",
        "pixels": image.shape[0] * image.shape[1],
    }


def _points(
    stored: dict[str, Any] | None, image: Pixels, loaded: LazyModels
) -> tuple[Vectors | None, str | None]:
    """Five points of a face and where they came from."""
    if not embedders.MODELS[loaded.options.model].points:
        return None, None
    if stored and stored["size"] == list(image.shape[1::-1]):
        return np.array(stored["points"], np.float32), "stored"
    points = loaded.detect(image)
    return points, "centre" if points is None else "detected"
