"""Embedding images in a process of its own: settings, records, and the worker."""

import functools
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cache.code_version import code_version
from dtst_flow.cache.records import Records
from dtst_flow.dataset.state import RECORDS
from dtst_flow.embed import embedders, recognisable
from dtst_flow.embed.base import CLIP, Embedder, Sample
from dtst_flow.faces import locate
from dtst_flow.faces.locate import Locator
from dtst_flow.imaging import decode, perceptual_hash
from dtst_flow.models.store import Weights
from dtst_flow.runtime import verified_read
from dtst_flow.runtime.failures import cause_of
from dtst_flow.runtime.verified_read import Reading
from dtst_flow.runtime.worker import Failed
from dtst_flow.stages.to_embed import Item
from dtst_flow.utils import pace
from dtst_flow.utils.array_types import Pixels, Vectors
from dtst_flow.utils.arrays import encode_vector
from dtst_flow.utils.files import digest_value


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
    if embedders.MODELS[model].tells_junk:
        used.append(recognisable)
    depends = {"model": model, "weights": weights, "code": code_version(*used)}
    depends |= verified_read.depends(options)
    if model == "clip":
        depends["clip_model"] = options.clip_model
    return Records(RECORDS / "embed", depends, shard, fresh)


def located_by(options: Options) -> str | None:
    """Name what gives points to faces that come without; None if the model wants none."""
    if not embedders.MODELS[options.model].points:
        return None
    return digest_value(locate.identity(locate.at_hand()))


def known_of(
    known: Records, item: Item, located_by: str | None
) -> dict[str, Any] | None:
    """Return the record of an image's embedding, if that is known.

    Args:
        known: The records.
        item: The image.
        located_by: As the function returns it: points that others gave are found anew.
    """
    record = known.get(item.identity)
    return record if record and record["located_by"] in (None, located_by) else None


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
    """An embedder, and what locates faces without points, loaded when first needed.

    Threads share it: it loads once, and looks at one image at a time.
    """

    def __init__(self, options: Options, weights: Weights):
        self.options = options
        self.weights = weights
        self._embedder: Embedder | None = None
        self._locator: Locator | None = None
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

    def locate(self, image: Pixels) -> Vectors | None:
        """Return the five points of the largest face of an image, None without any."""
        with self._lock:
            self._locator = self._locator or Locator(locate.at_hand())
            return self._locator.points(image)

    @functools.cached_property
    def located_by(self) -> str | None:
        """As the function of that name returns it."""
        return located_by(self.options)

    def close(self) -> None:
        """Free what was loaded."""
        for model in (self._embedder, self._locator):
            if model:
                model.close()


Prepared = tuple[NDArray[Any], dict[str, Any]]
"""What the model sees of an image, and what else is recorded of it."""


def prepare(item: Item, loaded: LazyModels) -> Prepared:
    """Read an image.

    Returns:
        What the model sees of it, and {aligned, located_by, hash, pixels}.

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
        "located_by": loaded.located_by if how in ("detected", "centre") else None,
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
    points = loaded.locate(image)
    return points, "centre" if points is None else "detected"
