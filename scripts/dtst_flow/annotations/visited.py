"""Which images detection has looked at, so that it knows where its sidecars may be.

A run that looked at all images leaves a table of them. Until then copies of its jobs'
manifests take the place of that table. A job makes its copy before it writes sidecars, as
the run may be killed, and images may be renamed or deleted before the next run.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dtst_flow.utils.files import digest, read_bytes, write_atomic
from dtst_flow.utils.tables import BrokenTable, read_table, write_table


class Visited:
    """The images that detection has looked at until now.

    Args:
        folder: Where they are noted.
    """

    def __init__(self, folder: str | Path) -> None:
        self._table = Path(folder) / "images.jsonl"
        self._begun = Path(folder) / "begun"
        self._since = sorted(self._begun.glob("*.jsonl"))

    def begin(self, manifest: str | Path) -> None:
        """Note the images of a job that will now look at them.

        Args:
            manifest: The table of the images.
        """
        rows = read_bytes(manifest)
        write_atomic(self._begun / f"{digest(rows)}.jsonl", rows, durable=True)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield {path, digest}, perhaps with more, of each image; a path may come twice."""
        for table in (self._table, *self._since):
            # The first run, just committed, or damaged.
            with suppress(FileNotFoundError, BrokenTable):
                yield from filter(_is_row, read_table(table))

    def commit(self, images: Iterable[tuple[str, str]]) -> None:
        """Replace all that `rows` gives.

        Args:
            images: The path and digest of each image.
        """
        write_table(self._table, ({"path": p, "digest": d} for p, d in images))
        for table in self._since:
            table.unlink(missing_ok=True)


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(
        isinstance(row.get(name), str) for name in ("path", "digest")
    )
