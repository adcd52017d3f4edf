"""File names of crops: ``<stem>_<class>.jpg``, ``<stem>_<class>_00.jpg`` when several.

A class is written so that any string makes a file name and no two crops of a bucket
share theirs, not even where upper and lower case are the same. All but letters and
digits of ASCII and the hyphen is percent-encoded (UTF-8; `urllib.parse.unquote` undoes
it). Read from its end, a name then comes apart in one way only: an encoded class has no
underscore and never consists of digits alone, so the last part is a number if it is all
digits and the class if not, the class is the part before, and the stem, which the
inventory makes unique without regard to case, is the rest.
"""

import string
from collections import Counter
from collections.abc import Iterable

PLAIN = frozenset(string.ascii_letters + string.digits + "-")
UPPER = frozenset(string.ascii_uppercase)

LONGEST = 255 - len(".json")
"""Bytes in a file name, most file systems' limit, less the sidecar's suffix."""


def file_name(stem: str, written: str, place: int, of: int) -> str:
    """The name of a crop.

    stem     the image's, from the inventory
    written  its class as `encoded` writes it
    place    its place in the list of its class, a number it keeps whatever is left out
    of       the length of that list; of a single one the number is left away
    """
    number = f"_{place:02d}" if of > 1 else ""
    return f"{stem}_{written}{number}.jpg"


def encoded(names: Iterable[str]) -> dict[str, str]:
    """How the classes of one image are written in file names.

    Upper case is kept unless classes of the image differ by it alone; then it is
    percent-encoded in these.
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
    # JSON may hold half of a surrogate pair, which strict UTF-8 refuses.
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
