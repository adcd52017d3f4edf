"""Tables: rows as JSON Lines, one object a line."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dtst_flow.utils import row_json
from dtst_flow.utils.files import PIECE, NotRegular, open_regular, write_atomic

LONGEST_ROW = 1 << 26
"""Most bytes of a table's row."""


def write_table(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON Lines, one object a line, durably."""
    write_atomic(path, to_table(rows), durable=True)


def to_table(rows: Iterable[Mapping[str, Any]]) -> bytearray:
    """Give the content of a table."""
    # Grown row by row, as joining the rows would take their memory a second time.
    content = bytearray()
    for row in rows:
        content += row_json.dumps(row) + b"\n"
    return content


class BrokenTable(ValueError):
    """A table that is none, or was damaged; the message says so and what to do."""


def read_table(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows that `write_table` wrote. Raises BrokenTable."""
    try:
        # Rows that are parsed together share their keys in memory.
        for lines in pieces_of(path):
            yield from row_json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError, NotRegular) as error:
        raise BrokenTable(
            f"{path} is not as dtst writes it; delete it and run the same again"
        ) from error


class EndlessLine(ValueError):
    """A line of more bytes than any table has."""


def pieces_of(path: str | Path) -> Iterator[list[bytes]]:
    """Yield the lines of a file, some at once.

    Raises:
        EndlessLine: A line has more than LONGEST_ROW bytes.
        OSError: The file cannot be read; as NotRegular it is none.
    """
    with open_regular(path) as file:
        rest = bytearray()
        while piece := file.read(PIECE):
            first, *more = piece.split(b"\n")
            rest += first
            if len(rest) > LONGEST_ROW:
                raise EndlessLine(f"a line has more than {LONGEST_ROW} bytes")
            if more:
                yield [bytes(rest), *more[:-1]]
                rest[:] = more[-1]
        if rest:
            yield [bytes(rest)]


def count_rows(table: str | Path) -> int:
    """Count the rows of a table without reading what is in them."""
    return sum(map(len, pieces_of(table)))


def is_table(path: str | Path, *columns: str, wholly: bool = False) -> bool:
    """Tell by its beginning and its end whether a file is a table.

    Whoever makes such a file anew need not read all rows, of which there may be a million.

    Args:
        path: The file; one that is not there is no table.
        columns: What its first row must have.
        wholly: Look at all rows nevertheless.
    """
    try:
        with open_regular(path) as file:
            first = file.readline(LONGEST_ROW)
            if not first:
                return True
            file.seek(-2, os.SEEK_END)
            row, end = row_json.loads(first), file.read()
        rows = read_table(path) if wholly else [row]
        return end == b"}\n" and all(_has(row, columns) for row in rows)
    except (OSError, ValueError, RecursionError):
        return False


def _has(row: Any, columns: tuple[str, ...]) -> bool:
    return isinstance(row, dict) and row.keys() >= set(columns)
