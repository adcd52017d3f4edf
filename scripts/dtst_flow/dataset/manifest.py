"""Manifests: the images of one shard, as the inventory lists them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from dtst_flow.utils.tables import read_table, write_table


class ManifestRow(NamedTuple):
    """An image of a shard.

    Attributes:
        path: Relative to the dataset folder.
        digest: Of its content.
        stem: The name that its crops bear; no other image of the bucket has it.
        sidecar: The digest of its sidecar's content, and of Takeout's file; None without
            any, or where sidecars do not count.
    """

    path: str
    digest: str
    stem: str
    sidecar: str | None = None

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "ManifestRow":
        """Return the image that a row of a table tells of, whatever else it holds."""
        return cls(row["path"], row["digest"], row["stem"], row.get("sidecar"))

    def to_row(self) -> dict[str, Any]:
        """Return the row of a table."""
        return {
            "path": self.path,
            "digest": self.digest,
            "stem": self.stem,
            "sidecar": self.sidecar,
        }


def read_manifest(path: str | Path) -> list[ManifestRow]:
    """Read the images of a shard."""
    return [ManifestRow.of_row(row) for row in read_table(path)]


def write_manifest(path: str | Path, rows: Iterable[ManifestRow]) -> None:
    """Write the images of a shard."""
    write_table(path, (row.to_row() for row in rows))
