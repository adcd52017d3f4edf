"""Shards of a stage that are summed up: what is known of one stays until its files change."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtst_flow.dataset.scan import FileStat
from dtst_flow.utils import row_json
from dtst_flow.utils.tables import read_table, write_table

Tally = Counter[str]
"""What is counted in the rows of tables, by names; those of all rows as IMAGES."""

IMAGES = "images"


@dataclass
class Shard:
    """One of the shards.

    Attributes:
        table: What the stage wrote.
        failed: The images that failed.
        besides: Other files that its sums depend on.
        noted: What `seen` told when it was last summed up, None if that is not known.
        tally: What is counted in its rows.
        unusable: {path, reason} of what could not be used in images that were.
        content: What names its results, as `content_of` gives it.
    """

    table: str
    failed: str
    besides: tuple[Path, ...] = ()
    noted: list[FileStat | None] | None = None
    tally: Tally = field(default_factory=Counter)
    unusable: list[dict[str, str]] = field(default_factory=list)
    content: int = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the table. Raises BrokenTable."""
        return read_table(self.table)

    def seen(self) -> list[FileStat | None]:
        """Look at all files that its sums depend on."""
        return [*map(_look, (self.table, self.failed)), *map(_look, self.besides)]

    def is_same(self) -> bool:
        """Tell whether its sums are known, and nothing of it changed since."""
        return self.noted == self.seen()

    def sum_up(self, tally: Callable[[dict[str, Any]], Mapping[str, int]]) -> None:
        """Go through the rows.

        Args:
            tally: A row -> what is counted of it.
        """
        for row in self.rows():
            self.tally[IMAGES] += 1
            for name, count in tally(row).items():
                self.tally[name] += count
            self.unusable += (
                {"path": row["path"], "reason": reason}
                for reason in row.get("unusable", ())
            )


def _look(path: str | Path) -> FileStat | None:
    try:
        return FileStat.of(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def counted(tally: Tally, kind: str) -> dict[str, int]:
    """Return what is counted by names after a word: of "class cat" by cat; sorted."""
    start = f"{kind} "
    found = ((key, count) for key, count in tally.items() if key.startswith(start))
    return {key.removeprefix(start): count for key, count in sorted(found)}


def content_of(values: Iterable[object]) -> int:
    """Name JSON values by a number: that of all is the sum of those of parts.

    It is the sum of digests, so neither order nor how they are parted counts.
    """
    digests = (hashlib.blake2b(row_json.dumps(v), digest_size=16) for v in values)
    return sum(int.from_bytes(one.digest(), "little") for one in digests)


def remember(table: Path, code: str, shards: Mapping[str, Shard]) -> None:
    """Write what shards sum up to.

    Args:
        table: The table to write.
        code: Names the code that summed up.
        shards: By their names.
    """
    rows = (
        {
            "shard": name,
            "code": code,
            "files": shard.seen(),
            "tally": shard.tally,
            "unusable": shard.unusable,
            "content": f"{shard.content:x}",
        }
        for name, shard in shards.items()
    )
    write_table(table, rows)


def recall(table: Path, code: str, shards: Mapping[str, Shard]) -> None:
    """Complete shards by what `remember` wrote, if nothing of them changed since.

    Args:
        table: The table; without it nothing is known.
        code: Names the code that sums up.
        shards: By their names; changed in place.
    """
    # It may come with a dataset from anywhere.
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        for row in read_table(table):
            shard = shards.get(row["shard"])
            noted = [stat and FileStat(*stat) for stat in row["files"]]
            if shard and row["code"] == code and noted == shard.seen():
                shard.tally, shard.unusable, shard.content = _sums(row)
                shard.noted = noted


def _sums(row: dict[str, Any]) -> tuple[Tally, list[dict[str, str]], int]:
    """What a row tells that a shard sums up to. Raises as it is none of ours."""
    tally = Counter({str(name): int(count) for name, count in row["tally"].items()})
    unusable = [
        {"path": str(one["path"]), "reason": str(one["reason"])}
        for one in row["unusable"]
    ]
    return tally, unusable, int(row["content"], 16)
