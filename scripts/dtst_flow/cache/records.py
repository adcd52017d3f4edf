"""Records: what a stage knows of one image, so that no image is computed twice.

The key of a record is made from everything that its value depends on, never from a name;
when an image is renamed, moved or copied its old record is found again. Snakemake does not
know of records: it deletes its outputs before a job, and a killed job must lose only the
images that it was at.

Each process of a job appends to a journal of its own. When the job ends its journals become
a pack, so there are only a few files, however many images.
"""

import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dtst_flow.cache import packs
from dtst_flow.utils import row_json
from dtst_flow.utils.files import append, digest_value, read_bytes, sweep


class Records:
    """The records of one stage under one set of parameters.

    Args:
        folder: Where they are; all parameter sets of the stage share it.
        depends: JSON value of all that a result depends on besides the image: parameters
            that matter, digest of the model, code version.
        job: The job that asks, by its shard. It sees what was packed and its own
            journals, also those of a killed job of the same name. None is for those who
            only read, and sees all.
        fresh: Whether to ignore the records that exist, so that all is computed again.
    """

    def __init__(
        self,
        folder: str | Path,
        depends: Any,
        job: str | None = None,
        fresh: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.depends = depends
        self.job = job
        self.fresh = fresh
        self._journal = self.folder / f"{job}.{secrets.token_hex(6)}.journal"
        self._new: dict[str, bytes] | None = None
        self._packs: list[packs.Pack] = []

    def get(self, image: Any) -> Any | None:
        """Look up the record of an image.

        Args:
            image: Its digest, or any JSON value that names it.

        Returns:
            The record; None without one, or if a failing disk or machine left it broken.
        """
        if self.fresh:
            return None
        key = self._key(image)
        if self._new is None:
            self._new = _read(self._journals())
            self._packs = packs.load(self.folder)
        value = self._new.get(key)
        for pack in self._packs:
            value = pack.get(key) if value is None else value
        try:
            return None if value is None else row_json.loads(value)
        except ValueError:
            return None

    def put(self, image: Any, value: Any) -> None:
        """Keep the record of an image, whatever happens to the process afterwards.

        Args:
            image: Its digest, or any JSON value that names it.
            value: The record, a JSON value.
        """
        key, content = self._key(image), row_json.dumps(value)
        append(self._journal, key.encode() + b" " + content + b"\n")
        if self._new is not None:
            self._new[key] = content

    def compact(self) -> None:
        """Pack the job's records; for its end, when its processes are gone."""
        _pack(self.folder, self._journals())
        self.close()

    def close(self) -> None:
        """Close the files; the next `get` opens them again."""
        for pack in self._packs:
            pack.close()
        self._new, self._packs = None, []

    def _key(self, image: Any) -> str:
        return digest_value([self.depends, image])

    def _journals(self) -> list[Path]:
        return _journals(self.folder, self.job or "*")


def tidy(folder: str | Path) -> None:
    """Pack what killed jobs left among the records of all stages.

    Args:
        folder: Holds a folder of records for each stage. No job may be using them.
    """
    for stage in Path(folder).glob("*/"):
        if stage.is_symlink():  # a stranger's link may lead anywhere
            continue
        sweep(stage)
        packs.unlock(stage)
        _pack(stage, _journals(stage, "*"))


def _journals(folder: Path, job: str) -> list[Path]:
    paths = folder.glob(f"{job}.{'[0-9a-f]' * 12}.journal")
    return sorted(path for path in paths if path.is_file())


def _read(journals: Iterable[Path]) -> dict[str, bytes]:
    """Read the values by their keys, except for lines that the kill of a job cut short."""
    values = {}
    for journal in journals:
        with suppress(FileNotFoundError):  # just packed
            for line in read_bytes(journal).split(b"\n")[:-1]:
                key, _, value = line.partition(b" ")
                if re.fullmatch(rb"[0-9a-f]{32}", key):
                    values[key.decode()] = value
    return values


def _pack(folder: Path, journals: list[Path]) -> None:
    if values := _read(journals):
        packs.add(folder, values)
    for journal in journals:
        journal.unlink(missing_ok=True)
