"""What a HEIC or AVIF says of its picture beside its pixels."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from PIL import Image

QUARTERS = (
    None,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
)
"""What ``irot`` asks for, by how many quarters of a turn to the left."""

MIRRORS = (Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT)
"""What ``imir`` asks for, by its axis."""


@dataclass
class Facts:
    """What is said.

    Attributes:
        turned: Whether it has an orientation of its own, be it that of no turn.
        turns: What makes the picture upright by it.
        exif: The EXIF, without what comes before it, b"" for none.
        nclx: Primaries and curve of the colours, as H.273 numbers them.
        bits: Of a sample; 8 where nothing is said.
        labels: Where the words stand that name items as metadata.
    """

    turned: bool = False
    turns: list[Image.Transpose] = field(default_factory=list)
    exif: bytes = b""
    nclx: tuple[int, int] | None = None
    bits: int = 8
    labels: list[int] = field(default_factory=list)


Box = tuple[bytes, int, int]
"""The name of a box, where its content begins, and where it ends."""


def facts(content: bytes) -> Facts:
    """Read the boxes of a file; what is broken or absent is left out."""
    found = Facts()
    meta = _find(content, 0, len(content), b"meta")
    if meta:
        inside = {
            name: (start, end)
            for name, start, end in _boxes(content, meta[0] + 4, meta[1])
        }
        for reader, names in (
            (_read_properties, (b"pitm", b"iprp")),
            (_read_metadata, (b"iinf", b"iloc")),
        ):
            try:
                reader(found, content, *(inside[name] for name in names))
            except (KeyError, IndexError, struct.error):
                continue
    return found


def without_metadata(content: bytes) -> bytes:
    """The same file, in which no decoder finds EXIF, XMP or the like."""
    data = bytearray(content)
    for place in facts(content).labels:
        data[place : place + 4] = b"skip"
    return bytes(data)


def _boxes(content: bytes, at: int, end: int) -> Iterator[Box]:
    end = min(end, len(content))
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", content, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", content, start)
            start = at + 16
        until = end if size == 0 else at + size
        if until < start:
            return
        yield name, start, min(until, end)
        at = until


def _find(content: bytes, at: int, end: int, wanted: bytes) -> tuple[int, int] | None:
    for name, start, until in _boxes(content, at, end):
        if name == wanted:
            return start, until
    return None


def _number(content: bytes, at: int, size: int) -> int:
    if at + size > len(content):
        raise IndexError
    return int.from_bytes(content[at : at + size])


def _read_properties(
    found: Facts, content: bytes, pitm: tuple[int, int], iprp: tuple[int, int]
) -> None:
    """Read orientation and colours: the properties of the main picture, in their order."""
    main = _number(content, pitm[0] + 4, 4 if content[pitm[0]] else 2)
    kinds = dict.fromkeys([b"ipco", b"ipma"], (0, 0))
    kinds |= {name: (start, end) for name, start, end in _boxes(content, *iprp)}
    known = list(_boxes(content, *kinds[b"ipco"]))
    for index in _properties_of(main, content, *kinds[b"ipma"]):
        name, start, _ = known[index - 1] if 0 < index <= len(known) else (b"", 0, 0)
        if name == b"irot":
            found.turned = True
            turn = QUARTERS[content[start] & 3]
            found.turns += [] if turn is None else [turn]
        elif name == b"imir":
            found.turned = True
            found.turns.append(MIRRORS[content[start] & 1])
        elif name == b"pixi":
            found.bits = _number(content, start + 5, 1)
        elif name == b"colr" and content[start : start + 4] == b"nclx":
            found.nclx = struct.unpack_from(">HH", content, start + 4)


def _properties_of(item: int, content: bytes, at: int, end: int) -> list[int]:
    """The numbers of an item's properties, which count from 1."""
    version, wide = content[at], content[at + 3] & 1
    size = 4 if version else 2
    count, at = _number(content, at + 4, 4), at + 8
    for _ in range(count):
        if at >= end:
            break
        owner, number = _number(content, at, size), _number(content, at + size, 1)
        start = at + size + 1
        at = start + number * (2 if wide else 1)
        if owner == item:
            width, most = (2, 0x7FFF) if wide else (1, 0x7F)
            places = pairwise(range(start, at + 1, width))
            return [_number(content, first, width) & most for first, _ in places]
    return []


def _read_metadata(
    found: Facts, content: bytes, iinf: tuple[int, int], iloc: tuple[int, int]
) -> None:
    """Read EXIF, and note which items are metadata."""
    head = 8 if content[iinf[0]] else 6
    item = None
    for name, start, _ in _boxes(content, iinf[0] + head, iinf[1]):
        size = 4 if content[start] > 2 else 2
        label = start + 4 + size + 2
        kind = content[label : label + 4]
        if name == b"infe" and kind in (b"Exif", b"mime"):
            found.labels.append(label)
        if name == b"infe" and kind == b"Exif" and item is None:
            item = _number(content, start + 4, size)
    if item is not None:
        data = _item(item, content, *iloc)
        # Four bytes say how many come before EXIF itself.
        found.exif = data[4 + int.from_bytes(data[:4]) :]


def _item(wanted: int, content: bytes, at: int, end: int) -> bytes:
    """The bytes of an item that lies in the file as it is."""
    version, sizes = content[at], _number(content, at + 4, 2)
    width, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index = index if version else 0
    wide = 4 if version > 1 else 2
    count, at = _number(content, at + 6, wide), at + 6 + wide
    for _ in range(count):
        if at >= end:
            break
        item = _number(content, at, wide)
        at += wide + (4 if version else 2)
        begin, extents = _number(content, at, base), _number(content, at + base, 2)
        at += base + 2
        if item == wanted and extents:
            start = begin + _number(content, at + index, width)
            size = _number(content, at + index + width, length)
            return content[start : start + size]
        at += extents * (index + width + length)
    return b""
