"""Records: what a stage knows of one image, so that no image is computed twice.

A record lies under a key made from everything its value depends on, never
under a name; renaming, moving or copying an image finds the old record again.
Snakemake does not know of records: it deletes its outputs before a job, and a
killed job must lose only the images in flight.

Each process of a job appends to a journal of its own, and when the job ends its journals
become a pack: a handful of files, however many images.
"""

import json
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dtst_flow.cache import packs
from dtst_flow.utils.files import digest_value, sweep, to_json


class Records:
    """The records of one stage under one set of parameters.

    folder   where they lie; shared by all parameter sets of the stage
    depends  JSON value of all that the result depends on besides the image:
             parameters that matter, model digest, code version
    job      the job that asks, by its shard. It sees what was packed and its own journals,
             those of a job of its name that was killed as well; None, who only reads, sees
             all
    fresh    overlook what is there and compute anew
    """

    def __init__(
        self,
        folder: str | Path,
        depends: Any,
        job: str | None = None,
        fresh: bool = False,
    ):
        self.folder = Path(folder)
        self.depends = depends
        self.job = job
        self.fresh = fresh
        self._journal = self.folder / f"{job}.{secrets.token_hex(6)}.journal"
        self._new: dict[str, bytes] | None = None
        self._packs: list[packs.Pack] = []

    def get(self, image: Any) -> Any | None:
        """The record of an image (its digest, or any JSON value naming it), or None.

        One that a failing disk or machine left broken is as good as none.
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
            return None if value is None else json.loads(value)
        except ValueError:
            return None

    def put(self, image: Any, value: Any) -> None:
        """Keep the record of an image, whatever becomes of the process from now on."""
        key, content = self._key(image), to_json(value)
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self._journal, "ab") as journal:
            journal.write(key.encode() + b" " + content + b"\n")
        if self._new is not None:
            self._new[key] = content

    def compact(self) -> None:
        """Pack what the job has found; for its end, when its processes are gone."""
        _pack(self.folder, self._journals())
        self.close()

    def close(self) -> None:
        """Let go of files; the next `get` opens them again."""
        for pack in self._packs:
            pack.close()
        self._new, self._packs = None, []

    def _key(self, image: Any) -> str:
        return digest_value([self.depends, image])

    def _journals(self) -> list[Path]:
        return _journals(self.folder, self.job or "*")


def tidy(folder: str | Path) -> None:
    """Pack what killed jobs left among the records of all stages.

    folder  with a folder of records for each stage, none of which a job is using
    """
    for stage in Path(folder).glob("*/"):
        if stage.is_symlink():  # a stranger's may lead anywhere
            continue
        sweep(stage)
        packs.unlock(stage)
        _pack(stage, _journals(stage, "*"))


def _journals(folder: Path, job: str) -> list[Path]:
    found = folder.glob(f"{job}.{'[0-9a-f]' * 12}.journal")
    return sorted(path for path in found if path.is_file())


def _read(journals: Iterable[Path]) -> dict[str, bytes]:
    """Key -> value of all that is whole; a line may be cut short where a job was killed."""
    found = {}
    for journal in journals:
        with suppress(FileNotFoundError):  # just packed
            for line in journal.read_bytes().split(b"\n")[:-1]:
                key, _, value = line.partition(b" ")
                if re.fullmatch(rb"[0-9a-f]{32}", key):
                    found[key.decode()] = value
    return found


def _pack(folder: Path, journals: list[Path]) -> None:
    if found := _read(journals):
        packs.add(folder, found)
    for journal in journals:
        journal.unlink(missing_ok=True)
