"""Records: what a stage knows of one image, so that no image is computed twice.

A record lies under a key made from everything its value depends on, never
under a name; renaming, moving or copying an image finds the old record again.
Snakemake does not know of records: it deletes its outputs before a job, and a
killed job must lose only the images in flight.
"""

from pathlib import Path
from typing import Any

from dtst_flow.files import digest_value, read_json, to_json, write_atomic


class Records:
    """The records of one stage under one set of parameters.

    folder  where they lie; shared by all parameter sets of the stage
    depends  JSON value of all that the result depends on besides the image:
            parameters that matter, model digest, code version
    fresh   overlook what is there and compute anew
    """

    def __init__(self, folder: str | Path, depends: Any, fresh: bool = False):
        self.folder = Path(folder)
        self.depends = depends
        self.fresh = fresh

    def _path(self, image: Any) -> Path:
        key = digest_value([self.depends, image])
        return self.folder / key[:2] / f"{key[2:]}.json"

    def get(self, image: Any) -> Any | None:
        """The record of an image (its digest, or any JSON value naming it), or None.

        One that a failing disk or machine left broken is as good as none.
        """
        if self.fresh:
            return None
        try:
            return read_json(self._path(image))
        except (FileNotFoundError, ValueError):
            return None

    def put(self, image: Any, value: Any) -> None:
        """Keep the record of an image."""
        write_atomic(self._path(image), to_json(value))
