"""Evidence: what files say of whose they are, for the time when no ledger tells.

The sidecar of each crop says of which photo it is, what its bytes were and which keys came
with it. So neither a lost ``.dtst`` makes our crops the user's, nor a ``provenance`` that
somebody else wrote makes a file of the user's ours.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dtst_flow.dataset import sidecars, subjects
from dtst_flow.dataset.containment import is_relative
from dtst_flow.dataset.entries import Claim, Stat, stat_of
from dtst_flow.dataset.provenance import MARKS, is_signature, same_photo, source_of
from dtst_flow.dataset.stems import is_stem_of
from dtst_flow.utils.files import digest_file


class Found(NamedTuple):
    """A file of ours that no ledger knows.

    Attributes:
        image: The image that it was made of.
        row: The row that a ledger would have of it.
    """

    image: str
    row: Claim


class Given(NamedTuple):
    """The name that an image was given.

    Attributes:
        path: The image.
        stem: What its files in the bucket are called by.
        digest: That of its content.
    """

    path: str
    stem: str
    digest: str


class Evidence(Protocol):
    """What the files in a bucket say of whose they are."""

    def row(
        self, path: str, ours: Mapping[str, Any] | None, lost: bool
    ) -> Claim | None:
        """Return the row of a file that no ledger knows, None if it is the user's.

        Args:
            path: The file, relative to the bucket.
            ours: What we would write into its sidecar.
            lost: Whether the bucket's ledger is lost.
        """

    def found(self, but: Collection[str] = ()) -> Iterator[Found]:
        """Yield all files that are ours.

        Args:
            but: Paths of which that is known, and which are not looked at.
        """

    def names(self) -> Iterator[Given]:
        """Yield the names by which images have files."""


@dataclass(frozen=True)
class CropEvidence:
    """What the sidecars of crops say.

    Attributes:
        bucket: The folder with the crops.
        columns: The keys of a provenance, but for MARKS.
        stem_of: The name of a crop and its provenance -> the stem of the photo in it, None
            if the name is none of such a crop.
        sometimes: Keys that a provenance may have as well.
    """

    bucket: Path
    columns: frozenset[str]
    stem_of: Callable[[str, Mapping[str, Any]], str | None]
    sometimes: frozenset[str] = frozenset()

    def row(
        self, path: str, ours: Mapping[str, Any] | None, lost: bool
    ) -> Claim | None:
        """Return the row of a crop; as `Evidence.row`.

        A crop of the photo that we would write it of is ours, whatever became of it; any
        other only as long as it holds what we wrote.
        """
        said = self._provenance(path)
        if said is None:
            return None
        stat = stat_of(self.bucket / path, follow_links=False)
        if same_photo(said, ours) or (lost and self._is_whole(path, said, stat)):
            shows = subjects.of_provenance(said)
            return Claim(path, (said["keys"],), (stat,), shows=shows)
        return None

    def found(self, but: Collection[str] = ()) -> Iterator[Found]:
        """Yield all crops that are as we wrote them, and sidecars whose crop is gone."""
        for path in self._with_sidecars():
            if path not in but and (row := self.row(path, None, lost=True)):
                said = sidecars.read(self.bucket / path)["provenance"]
                yield Found(source_of(said), row)

    def names(self) -> Iterator[Given]:
        """Yield the names by which images have crops."""
        for path in self._with_sidecars():
            if said := self._provenance(path):
                stem = str(self.stem_of(path, said))
                yield Given(source_of(said), stem, said["digest"])

    def _with_sidecars(self) -> list[str]:
        """List what has a sidecar, be it there or not."""
        try:
            names = sorted(os.listdir(self.bucket))
        except OSError:
            return []
        return [name[: -len(".json")] for name in names if name.endswith(".json")]

    def _provenance(self, path: str) -> dict[str, Any] | None:
        """Return the provenance of a crop if it is one of ours, as its name is, too."""
        try:
            said = sidecars.read(self.bucket / path).get("provenance")
        except sidecars.BrokenSidecar:
            return None
        if not (isinstance(said, dict) and self._has_keys(said) and _has_values(said)):
            return None
        stem = self.stem_of(path, said)
        return said if stem and is_stem_of(stem, source_of(said)) else None

    def _has_keys(self, said: dict[str, Any]) -> bool:
        return said.keys() - self.sometimes == self.columns | MARKS

    def _is_whole(self, path: str, said: Mapping[str, Any], stat: Stat | None) -> bool:
        """Tell whether a crop is gone or has the bytes that its provenance tells of."""
        crop = self.bucket / path
        try:
            return not os.path.lexists(crop) or (
                stat is not None
                and not crop.is_symlink()
                and crop.is_file()
                and digest_file(crop) == said["file"]
            )
        except OSError:
            return False


def _has_values(said: dict[str, Any]) -> bool:
    """Tell whether the values of a provenance are such as we write."""
    return (
        is_relative(source_of(said))
        and all(_is_digest(said[key]) for key in ("digest", "file"))
        and is_signature(said["keys"])
        and isinstance(said.get("box", []), list)
    )


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{32}", value))
