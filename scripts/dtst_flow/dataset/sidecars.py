"""Sidecars: ``photo.jpg.json`` beside ``photo.jpg``, one JSON object of the user's.

Nothing here drops a key that somebody else wrote. NaN and Infinity, which are no JSON but
what Python writes, are kept, too.
"""

import errno
import json
from collections import Counter
from pathlib import Path
from typing import Any

from dtst_flow.utils.files import digest_value, to_json, write_atomic
from dtst_flow.utils.text import printable

PIXEL_BOUND = frozenset({"classes", "metrics", "provenance"})
"""Keys that speak of an image's own pixels and so do not travel to a crop of it."""


LARGEST = 16 << 20
"""Bytes of a sidecar, at most."""

DEEPEST = 100
"""Lists and objects inside one another, at most: what is read must be writable again."""


class BrokenSidecar(Exception):
    """A sidecar that is no JSON object; the message names file and fault.

    file  its path, None where only its content is known
    """

    def __init__(self, message: str, file: Path | None = None):
        super().__init__(message)
        self.file = file


def path_of(image: str | Path) -> Path:
    """Where the sidecar of an image lies."""
    return Path(name_of(image))


def name_of(image: str | Path) -> str:
    """`path_of` as a string, as a million paths take seconds to make."""
    return f"{image}.json"


def read(image: str | Path) -> dict:
    """Return an image's sidecar, {} when it has none. Raises BrokenSidecar."""
    path = path_of(image)
    try:
        content = _parse(path)
    except OSError as error:
        # Beside the longest of file names there can be no sidecar.
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return {}
        raise _broken(path, f"cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise _broken(path, f"is nested more than {DEEPEST} deep") from error
    except ValueError as error:
        raise _broken(path, f"cannot be read: {printable(error)}") from error
    if not isinstance(content, dict):
        raise _broken(path, "holds no JSON object")
    return content


def _parse(path: Path) -> Any:
    """The value in a file. Raises OSError, ValueError, RecursionError."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    raw = path.read_bytes()
    content = json.loads(raw, object_pairs_hook=_object)
    if raw.count(b"[") + raw.count(b"{") > DEEPEST:
        _check_depth(content, DEEPEST)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict:
    """An object; of a key that is there twice, one value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(
            key for key, count in Counter(k for k, _ in pairs).items() if count > 1
        )
        raise ValueError(f"it has the key {twice!r} twice")
    return found


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if not left:
        raise RecursionError
    for inner in value.values() if isinstance(value, dict) else value:
        _check_depth(inner, left - 1)


def _broken(path: Path, fault: str) -> BrokenSidecar:
    # As a literal, since a path need not be printable.
    return BrokenSidecar(f"sidecar {str(path)!r} {fault}", path)


def write(
    image: str | Path,
    content: dict,
    remove_empty: bool = True,
    durable: bool = True,
) -> None:
    """Replace an image's sidecar; an empty one is removed, unless that is not wanted.

    durable  as `write_atomic` has it; not needed where nobody else has written
    """
    path = path_of(image)
    if content or not remove_empty:
        write_atomic(path, to_json(content, indent=2) + b"\n", durable)
    else:
        path.unlink(missing_ok=True)


def travelling(sidecar: dict) -> dict:
    """The keys of a source's sidecar that hold for a crop of it as well."""
    return {k: v for k, v in sidecar.items() if k not in PIXEL_BOUND}


def signature(ours: dict) -> dict[str, str]:
    """Remember what we wrote, by key: enough for `merge` to tell it from an edit."""
    return {key: digest_value(value)[:12] for key, value in ours.items()}


def merge(present: dict, ours: dict, *written: dict[str, str]) -> dict:
    """Three-way merge of a sidecar that both we and the user write.

    present  what the file holds now
    ours     what we have to say now; {} to withdraw it all
    written  the `signature` of each content that we may have left there

    What the user added or changed stays, except ``provenance``, which is ours alone.
    """

    def is_ours(key: str, value: object) -> bool:
        signature = digest_value(value)[:12]
        return key == "provenance" or any(w.get(key) == signature for w in written)

    users = {k: v for k, v in present.items() if not is_ours(k, v)}
    return {**{k: v for k, v in ours.items() if k not in users}, **users}
