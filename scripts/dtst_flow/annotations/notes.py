"""Notes: small files, one for each image, that change as what they tell of does."""

from pathlib import Path
from typing import Any

from dtst_flow.utils.files import digest_value, read_json, to_json, write_atomic


class Notes:
    """The notes in a folder, each under the digest of a name."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def _path(self, name: str) -> Path:
        key = digest_value(name)
        return self.folder / key[:2] / f"{key[2:]}.json"

    def get(self, name: str) -> Any | None:
        """The note of that name, or None.

        One that a failing disk or machine left broken is as good as none.
        """
        try:
            return read_json(self._path(name))
        except (FileNotFoundError, ValueError):
            return None

    def put(self, name: str, value: Any) -> None:
        """Write or replace the note of that name."""
        write_atomic(self._path(name), to_json(value))
