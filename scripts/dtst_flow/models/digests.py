"""The digests of weights, which are up to gigabytes: computed once while a file is as it is.

They are kept in the user's cache, with what tells that a file is still the same.
"""

import functools
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from time import time

from dtst_flow.utils.files import (
    GARBAGE,
    digest,
    open_regular,
    read_json,
    to_json,
    write_atomic,
)
from dtst_flow.utils.folders import user_cache

SETTLED = 5
"""Seconds after its last change until a digest is kept: a file system's clock may stand
still for some ms, and clocks of machines differ, so that a change could go unseen."""


def sha256(path: Path) -> str:
    """Compute the digest of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
    """
    now = path.stat()
    state = now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
    return _sha256(Path(os.path.abspath(path)), *state)


@functools.cache
def _sha256(path: Path, *state: int) -> str:
    note = user_cache() / "weights" / f"{digest(os.fsencode(path))}.json"
    with suppress(*GARBAGE):
        known, value = read_json(note)
        if known == list(state) and isinstance(value, str):
            return value
    began = time()
    with open_regular(path) as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
    *_, mtime, ctime = state
    if began - max(mtime, ctime) / 1e9 > SETTLED:
        with suppress(OSError):
            write_atomic(note, to_json([state, value]))
    return value
