"""What a JPEG says of its picture beside its pixels, and whether it is whole."""

import re
import struct
from collections.abc import Iterator

ADOBE, EXIF, ICC = 0xEE, 0xE1, 0xE2
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of what says how large the picture is, and how it is coded."""

ADOBE_SIZE = 12
"""Bytes of the segment that says how colours are coded; a shorter one is none."""

PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
SCAN = 0xDA
START, END = b"\xff\xd8", b"\xff\xd9"
ALONE = {*range(0xD0, 0xD9), 0x01}
"""Markers without content."""

NEXT = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""A marker that ends a scan."""

STUMP = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7].?)?\Z", re.DOTALL)
"""What is left of a segment that is cut before its content."""

ICC_NAME = b"ICC_PROFILE\0"

Segment = tuple[int, int, int]
"""A marker, where its content begins, and where it ends."""


def segments(content: bytes) -> Iterator[Segment]:
    """Yield the segments of the first picture in a JPEG."""
    at = 2
    while found := NEXT.search(content, at):
        marker, start = found[1][0], found.end()
        if marker == END[1] or start + 2 > len(content):
            return
        if marker in ALONE:
            at = start
            continue
        (size,) = struct.unpack_from(">H", content, start)
        yield marker, start + 2, min(start + size, len(content))
        at = start + max(size, 2)


def head(content: bytes) -> list[Segment]:
    """The segments before the first scan."""
    found = []
    for segment in segments(content):
        if segment[0] == SCAN:
            break
        found.append(segment)
    return found


def without_metadata(content: bytes) -> bytes:
    """The same file without what no pixel depends on."""
    kept = [content[:2]]
    end = 2
    for marker, start, end in head(content):
        adobe = marker == ADOBE and end - start >= ADOBE_SIZE
        beside = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if adobe or not beside:
            kept += [b"\xff", bytes([marker]), content[start - 2 : end]]
    return b"".join([*kept, content[end:]])


def exif(content: bytes) -> bytes:
    """The EXIF of a JPEG, b"" for none."""
    parts = (content[a:b] for marker, a, b in head(content) if marker == EXIF)
    return next((part for part in parts if part.startswith(b"Exif\0\0")), b"")


def profile(content: bytes) -> bytes:
    """The ICC profile of a JPEG, b"" for none.

    Raises:
        ValueError: A piece of it is missing.
    """
    parts = (content[a:b] for marker, a, b in head(content) if marker == ICC)
    skip = len(ICC_NAME)
    found = {
        part[skip]: part
        for part in parts
        if part[:skip] == ICC_NAME and part[skip + 1 :]
    }
    if not found:
        return b""
    if sorted(found) != list(range(1, found[min(found)][skip + 1] + 1)):
        raise ValueError("a piece of it is missing")
    return b"".join(found[number][skip + 2 :] for number in sorted(found))


def why_not(content: bytes) -> str:
    """Why a JPEG of a rare kind is not read, "" if it is of no such kind."""
    for marker, start, end in head(content):
        if marker in FRAMES and end > start:
            bits = content[start]
            if bits != 8:
                return f"it is a JPEG of {bits} bits a sample; such are not read"
            if marker > 0xC2:
                return "it is a lossless, hierarchical or arithmetic JPEG; such are not read"
    return ""


def without_stump(content: bytes) -> bytes:
    """A JPEG that is cut short, without a last segment of which only the beginning is left."""
    for _, start, _ in segments(content):
        if start - 2 + int.from_bytes(content[start - 2 : start]) > len(content):
            return content[: start - 4]
    return STUMP.sub(b"", content)


def all_scans_begin(content: bytes) -> bool:
    """Whether each coefficient of each colour has its last bit in one of the scans."""
    left: set[tuple[int, int]] = set()
    progressive = False
    for marker, start, end in segments(content):
        part = content[start:end]
        if marker in FRAMES and len(part) > 5:
            progressive = marker in PROGRESSIVE
            left = {(colour, k) for colour in part[6::3] for k in range(64)}
        elif marker == SCAN and part and len(part) >= 4 + 2 * part[0]:
            colours = part[1 : 1 + 2 * part[0] : 2]
            first, last, bits = part[1 + 2 * part[0] :][:3]
            if not progressive:
                first, last, bits = 0, 63, 0
            if not bits & 15:
                left -= {(c, k) for c in colours for k in range(first, last + 1)}
    return not left
