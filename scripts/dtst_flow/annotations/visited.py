"""Which images detection looked at, so that it knows where its sidecars may lie.

A run that looked at all images leaves a table of them. Until then the manifests of its
jobs stand for it, put down before a job writes sidecars: the run may be killed, and images
renamed or deleted before the next.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from dtst_flow.utils.files import digest, read_table, write_atomic, write_table


class Visited:
    """The images that detection has looked at until now.

    folder  where that is noted
    """

    def __init__(self, folder: str | Path):
        self._table = Path(folder) / "images.jsonl"
        self._begun = Path(folder) / "begun"
        self._since = sorted(self._begun.glob("*.jsonl"))

    def begin(self, manifest: str | Path) -> None:
        """Note the images of a job that is about to look at them."""
        rows = Path(manifest).read_bytes()
        write_atomic(self._begun / f"{digest(rows)}.jsonl", rows, durable=True)

    def rows(self) -> Iterator[dict]:
        """{path, digest} and perhaps more of each image; a path may come again."""
        for table in (self._table, *self._since):
            with suppress(FileNotFoundError):  # the first run, or just settled
                yield from read_table(table)

    def commit(self, images: Iterable[tuple[str, str]]) -> None:
        """Note the path and digest of each image instead of all that `rows` gives."""
        write_table(self._table, ({"path": p, "digest": d} for p, d in images))
        for table in self._since:
            table.unlink(missing_ok=True)
