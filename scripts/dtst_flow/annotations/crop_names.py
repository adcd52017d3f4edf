"""File names of crops: ``<stem>_<class>.jpg``, ``<stem>_<class>_00.jpg`` when several.

A class is encoded so that any string makes a file name and no two crops of a bucket have
the same, not even where upper and lower case are the same. All characters except ASCII
letters, ASCII digits and the hyphen are percent-encoded (UTF-8; `urllib.parse.unquote`
decodes it). A name then can be read from its end in one way only: an encoded class has no
underscore and never consists of digits alone. So the last part is a number if it is all
digits, and else the class; before a number comes the class; the rest is the stem, which
the inventory makes unique regardless of case.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

PLAIN = frozenset(string.ascii_letters + string.digits + "-")
"""Characters that are not encoded."""

UPPER = frozenset(string.ascii_uppercase)

LONGEST = 255 - len(".json")
"""Most bytes of a file name: most file systems' limit, less the sidecar's suffix."""


def file_name(stem: str, written: str, place: int, of: int) -> str:
    """Make the file name of a crop.

    Args:
        stem: The image's stem, from the inventory.
        written: Its class as `encoded` writes it.
        place: Its place in the list of its class, a number that it keeps even if others
            are left out.
        of: The length of that list; the name of a single crop has no number.
    """
    number = f"_{place:02d}" if of > 1 else ""
    return f"{stem}_{written}{number}.jpg"


def class_of(name: str) -> str:
    """Read the class from the file name of a crop, as `encoded` writes it."""
    parts = name.removesuffix(".jpg").split("_")
    return parts[-2] if parts[-1].isdigit() and len(parts) > 2 else parts[-1]


def stem_of(name: str, provenance: Mapping[str, Any]) -> str | None:
    """Read the stem from the file name of a crop; None if it is none of that class."""
    written = class_of(name)
    if unquote(written, errors="surrogatepass") != provenance["class"]:
        return None
    match = re.fullmatch(
        rf"(.+)_{re.escape(written)}(_\d{{2,}})?\.jpg", name, re.DOTALL
    )
    return match[1] if match else None


def encoded(names: Iterable[str]) -> dict[str, str]:
    """Encode the classes of one image for file names.

    Upper case is kept, except in classes that differ only by case from another one of the
    image; in these it is percent-encoded.

    Args:
        names: The classes.

    Returns:
        How each class is written.
    """
    simple = {name: _encode(name, PLAIN) for name in names}
    sharing = Counter(text.lower() for text in simple.values())
    return {
        name: text if sharing[text.lower()] == 1 else _encode(name, PLAIN - UPPER)
        for name, text in simple.items()
    }


def _encode(name: str, plain: frozenset[str]) -> str:
    if name.isascii() and name.isdigit():
        return _percent(name[0]) + name[1:]
    return "".join(char if char in plain else _percent(char) for char in name)


def _percent(char: str) -> str:
    # JSON may have half of a surrogate pair, which strict UTF-8 refuses.
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
