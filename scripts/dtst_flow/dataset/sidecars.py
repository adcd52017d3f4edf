"""Sidecars: ``photo.jpg.json`` beside ``photo.jpg``, one JSON object of the user's.

Nothing here drops a key that somebody else wrote, or changes how they wrote it. NaN and
Infinity are kept, too: they are no JSON, but Python writes them.
"""

import codecs
import errno
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from dtst_flow.dataset.containment import escapes
from dtst_flow.utils import json_text
from dtst_flow.utils.files import digest_value, read_bytes, write_atomic
from dtst_flow.utils.text import printable

PIXEL_BOUND = frozenset({"classes", "metrics", "provenance"})
"""Keys that describe an image's own pixels, so that a crop of it does not get them."""

SHARED = "metrics"
"""Key of an object that several tools write into, so that its entries are told apart one by
one."""

DIGITS = 12
"""Hexadecimal digits of a digest by which we know again what we wrote."""

LARGEST = 16 << 20
"""Most bytes of a sidecar."""

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "utf-8",
}
"""Byte order marks, the longer first -> the encoding that they stand for."""

DEEPEST = 100
"""Most levels of lists and objects, as what is read must be possible to write again."""


class BrokenSidecar(Exception):
    """A sidecar that is no JSON object; the message names file and fault.

    Attributes:
        file: Its path; None if only its content is known.
    """

    def __init__(self, message: str, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file


def path_of(image: str | Path) -> Path:
    """Give the path of an image's sidecar."""
    return Path(name_of(image))


def name_of(image: str | Path) -> str:
    """Give `path_of` as a string, as a million Paths take seconds to make."""
    return f"{image}.json"


def read(image: str | Path) -> dict[str, Any]:
    """Read an image's sidecar.

    Args:
        image: The image's path.

    Returns:
        The content; {} if the image has no sidecar.

    Raises:
        BrokenSidecar: The sidecar cannot be read or is no JSON object.
    """
    path = path_of(image)
    try:
        content = _parse(path)
    except OSError as error:
        # An image with the longest possible file name can have no sidecar.
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
    """Parse a file.

    Raises:
        OSError: It cannot be read, is no regular file, or is too large.
        ValueError: It is no JSON, or has a key twice.
        RecursionError: It has too many levels.
    """
    raw = read_bytes(path, LARGEST)
    content = json_text.loads(raw, _object)
    if raw.count(b"[") + raw.count(b"{") > DEEPEST:
        _check_depth(content, DEEPEST)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; a key must not come twice, as one value would be lost."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(
            key for key, count in Counter(k for k, _ in pairs).items() if count > 1
        )
        raise ValueError(f"it has the key {twice!r} twice")
    return content


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
    content: dict[str, Any],
    remove_empty: bool = True,
    durable: bool = True,
) -> None:
    """Replace an image's sidecar as a whole.

    Args:
        image: The image's path.
        content: What the sidecar is to hold.
        remove_empty: Whether to remove the sidecar if the content is empty.
        durable: As `write_atomic` takes it; only needed if somebody else has written in
            the sidecar.

    Raises:
        BrokenSidecar: It would be too large to be read again.
    """
    path = path_of(image)
    if not content and remove_empty:
        path.unlink(missing_ok=True)
        return
    raw = json_text.dumps(content, indent=2).encode()
    if len(raw) >= LARGEST:
        raw = json_text.dumps(content, separators=(",", ":")).encode()
    _replace(path, raw + b"\n", durable)


def edit(image: str | Path, content: dict[str, Any], remove_empty: bool = True) -> None:
    """Bring an image's sidecar to a content, where somebody else has written in it.

    What does not change keeps its bytes, the file its mode, owner and encoding, a link
    leads to where it led. Keys that were added and are taken out leave no trace.

    Args:
        image: The image's path.
        content: What the sidecar is to hold.
        remove_empty: Whether to remove the sidecar if the content is empty.

    Raises:
        BrokenSidecar: It cannot be read, would be too large to be read again, or a link
            leads out of the dataset.
    """
    path = path_of(image)
    if (not content and remove_empty) or not os.path.exists(path):
        write(image, content, remove_empty)
        return
    read(image)
    if path.is_symlink() and escapes(".", str(path)):
        raise _broken(path, "leads out of the dataset by a link, and is not written to")
    raw = read_bytes(path, LARGEST)
    mark = next(filter(raw.startswith, MARKS), b"")
    encoding = MARKS.get(mark) or json.detect_encoding(raw)
    text = raw[len(mark) :].decode(encoding, "surrogatepass")
    changed = mark + json_text.edited(text, content).encode(encoding, "surrogatepass")
    if changed != raw:
        real = Path(os.path.realpath(path))
        _replace(real, changed, durable=True, like=real)


def _replace(path: Path, raw: bytes, durable: bool, like: Path | None = None) -> None:
    if len(raw) > LARGEST:
        raise _broken(
            path, f"would have more than {LARGEST} bytes, so it is not written"
        )
    write_atomic(path, raw, durable, like)


def travelling(sidecar: dict[str, Any]) -> dict[str, Any]:
    """Choose the keys of an image's sidecar that are also true of a crop of it."""
    return {k: v for k, v in sidecar.items() if k not in PIXEL_BOUND}


def signature(ours: dict[str, Any]) -> dict[str, str]:
    """Sign what we write, key by key, so that `merge` can tell it from an edit.

    Args:
        ours: Our keys of a sidecar.

    Returns:
        A digest of each key's value; of SHARED those of its entries, one after the other.
    """
    signed = {key: _sign(value) for key, value in ours.items()}
    if isinstance(ours.get(SHARED), dict):
        signed[SHARED] = "".join(map(_sign, ours[SHARED].items()))
    return signed


def merge(
    present: dict[str, Any], ours: dict[str, Any], *written: dict[str, str]
) -> dict[str, Any]:
    """Merge a sidecar that both we and the user write, three ways.

    What the user added or changed stays, except ``provenance``, which is ours alone. In
    SHARED that holds of each entry.

    Args:
        present: What the file holds now.
        ours: What we write now; {} to take out all that we wrote.
        written: The `signature` of each content that we may have left there.

    Returns:
        What the file is to hold.
    """

    def is_ours(key: str, value: object) -> bool:
        signed = _sign(value)
        return key == "provenance" or any(w.get(key) == signed for w in written)

    users = {k: v for k, v in present.items() if not is_ours(k, v)}
    if isinstance(users.get(SHARED), dict):
        signed = [w[SHARED] for w in written if isinstance(w.get(SHARED), str)]
        _share(users, ours, signed)
    return _completed(users, ours)


def _share(users: dict[str, Any], ours: dict[str, Any], written: list[str]) -> None:
    """Leave of SHARED what the user wrote, with what we write beside it; in place."""
    shared = users[SHARED]
    theirs = {
        name: value
        for name, value in shared.items()
        if not any(_sign((name, value)) in _digests(signed) for signed in written)
    }
    if theirs:
        mine = ours.get(SHARED)
        users[SHARED] = _completed(theirs, mine if isinstance(mine, dict) else {})
    elif shared or written:
        del users[SHARED]


def _sign(value: object) -> str:
    return digest_value(value)[:DIGITS]


def _digests(signed: str) -> list[str]:
    return [signed[i : i + DIGITS] for i in range(0, len(signed), DIGITS)]


def _completed(users: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in ours.items() if k not in users}, **users}
