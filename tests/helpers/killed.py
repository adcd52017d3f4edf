"""A process that writes into a bucket and is killed amid it, from inside."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dtst_flow.dataset import waiting
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.utils.files import TEMPORARY_PREFIX


class Killed(BaseException):
    """What a kill looks like from inside."""


@contextmanager
def killed_after(steps: int, half: bool) -> Iterator[None]:
    """Kill the block at a write: after so many others, half of it done or nothing."""
    left = steps

    def leave(new, path):
        leftover = Path(path).with_name(f"{TEMPORARY_PREFIX}0.tmp")
        leftover.unlink(missing_ok=True)  # it may be a link to what is copied
        shutil.copy(new, leftover, follow_symlinks=False)

    def note(part, row):
        part.journal.parent.mkdir(parents=True, exist_ok=True)
        with open(part.journal, "ab") as journal:
            journal.write(b"\n" + json.dumps(row.to_row()).encode()[:-2])

    def mortal(whole, begin=lambda *args: None):
        def step(*args):
            nonlocal left
            if left == 0:
                if half:
                    begin(*args)
                raise Killed
            left -= 1
            return whole(*args)

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", mortal(os.replace, leave))
        patch.setattr(Part, "_note", mortal(Part._note, note))
        patch.setattr(Ledgers, "_remove", mortal(Ledgers._remove))
        patch.setattr(waiting, "_joined", mortal(waiting._joined))
        yield
