"""Notes: small files, one for each image, that change with what they are about."""

from pathlib import Path
from typing import Any

from dtst_flow.utils.files import (
    NotRegular,
    digest_value,
    read_json,
    to_json,
    write_atomic,
)


class Notes:
    """The notes in a folder, each under the digest of a name.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def _path(self, name: str) -> Path:
        key = digest_value(name)
        return self.folder / key[:2] / f"{key[2:]}.json"

    def get(self, name: str) -> Any | None:
        """Read the note of a name.

        Returns:
            The note; None without one, or if a failing disk or machine left it broken.
        """
        try:
            return read_json(self._path(name))
        except (FileNotFoundError, NotRegular, RecursionError, ValueError):
            return None

    def put(self, name: str, value: Any) -> None:
        """Write or replace the note of a name; its value is a JSON value."""
        write_atomic(self._path(name), to_json(value))
