"""What Snakemake tells the ``dtst`` that started it: events, one JSON object a line.

The file is named by an environment variable; without it, as in a run that no ``dtst``
started and in jobs, nothing is told.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

VARIABLE = "DTST_EVENTS"
"""The environment variable that names the file."""

VERBOSE = "DTST_VERBOSE"
"""The environment variable that is set where Snakemake's own output is shown as well."""

Event = dict[str, Any]
"""`kind`, and what belongs to it:

began    job, rule: a job was started
ended    job: it came to its end
failed   rule, logs: a job failed; its logs, relative to the dataset
error    text: the run cannot go on
noted    text: to be shown at once
said     text: to be shown at the end
source   stage, fingerprint: what was seen of its source
"""


def are_wanted() -> bool:
    """Whether a ``dtst`` shows what this run does."""
    return VARIABLE in os.environ


def tell(kind: str, **content: Any) -> None:
    """Tell of an event, if anybody wants to know."""
    if not are_wanted():
        return
    line = json.dumps({"kind": kind, **content}) + "\n"
    with suppress(OSError), open(os.environ[VARIABLE], "ab") as file:
        file.write(line.encode())


def note(sentence: str) -> None:
    """Say something while a run goes on; a dtst that started it says it itself."""
    tell("noted", text=sentence)
    if not are_wanted():
        print(sentence, file=sys.stderr)


class Reader:
    """Reads the events of a run while it goes on.

    Args:
        path: The file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._read = 0

    def new(self) -> list[Event]:
        """Return the events told since the last call."""
        with suppress(FileNotFoundError), open(self._path, "rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
            if whole:
                self._read += len(whole) + 1
                return [json.loads(line) for line in whole.splitlines()]
        return []
