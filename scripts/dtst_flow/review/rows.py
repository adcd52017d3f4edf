"""What the stage embed knows of the images: content, photo, box, vector."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.dataset import inventory
from dtst_flow.dataset.state import state_of
from dtst_flow.report import NoResult
from dtst_flow.report.facts import unit
from dtst_flow.review.clustering import Clustering
from dtst_flow.utils.files import open_regular
from dtst_flow.utils.tables import read_table


class Rows:
    """The rows of embed's tables, by the numbers of the images; vectors stay on the disk.

    Args:
        bucket: The bucket of the clusters, in the dataset's folder.
        clustering: What is in it.

    Attributes:
        digests: Of each image, that of its content; None of one that is in no table.
        photos: Number -> the digest of the photo that a crop is of, and its box.
        width: Numbers of a vector.

    Raises:
        NoResult: The tables are not as dtst writes them.
    """

    def __init__(self, bucket: str, clustering: Clustering) -> None:
        folder = state_of(bucket)
        count = len(clustering.paths)
        self.digests: list[str | None] = [None] * count
        self.photos: dict[int, tuple[str, Sequence[float] | None]] = {}
        self._shard = np.full(count, -1, np.int32)
        self._row = np.zeros(count, np.int32)
        self._arrays: list[NDArray[np.floating]] = []
        try:
            for shard in sorted(inventory.shards(folder / "inventory")):
                table = folder / "embeddings" / f"{shard}.jsonl"
                rows = 0
                for row in read_table(table):
                    self._take(clustering.number(row["path"]), rows, row)
                    rows += 1
                self._arrays.append(mapped(table.with_suffix(".npy"), rows))
        except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            raise NoResult(
                f"what belongs to {bucket} in {folder} is not as dtst writes it "
                f"({type(error).__name__}: {error}); dtst cluster --to {bucket} brings "
                "it up to date"
            ) from error
        self.width = max((a.shape[1] for a in self._arrays if len(a)), default=0)

    def _take(self, n: int | None, row: int, content: Mapping[str, Any]) -> None:
        if n is None:  # as of known people, who are laid out nowhere
            return
        self._shard[n], self._row[n] = len(self._arrays), row
        self.digests[n] = str(content["digest"])
        if photo := content.get("photo"):
            box = content.get("box")
            self.photos[n] = str(photo), None if box is None else list(map(float, box))

    @cached_property
    def _numbers(self) -> dict[str | None, list[int]]:
        numbers: dict[str | None, list[int]] = {}
        for n, digest in enumerate(self.digests):
            shown = self.photos[n][0] if n in self.photos else digest
            numbers.setdefault(shown, []).append(n)
        return numbers

    def showing(self, digest: str) -> Sequence[int]:
        """The images that are of a content, or cut out of a photo of that content."""
        return self._numbers.get(digest, ())

    def vectors(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """The vectors of images, (m, d), of length 1; zero where there is none."""
        found = np.zeros((len(numbers), self.width), np.float32)
        shards, rows = self._shard[numbers], self._row[numbers]
        for shard in np.unique(shards[shards >= 0]):
            at = np.flatnonzero(shards == shard)
            array = self._arrays[shard]
            if array.shape[1] == self.width:
                found[at] = array[rows[at]]
        return unit(found).astype(np.float32, copy=False)


def mapped(path: Path, rows: int) -> NDArray[np.floating]:
    """Map an array of vectors into memory. Raises ValueError where it is none."""
    open_regular(path).close()  # a pipe would be waited for
    array = np.load(path, mmap_mode="r" if rows else None)
    if array.ndim != 2 or len(array) != rows or array.dtype.kind != "f":
        raise ValueError("the embeddings are not those of the images")
    mapped: NDArray[np.floating] = array
    return mapped
