"""What a WebP holds beside its pixels."""

import struct
from collections.abc import Iterator

NEEDED = (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
"""Chunks that pixels depend on, after the first, which says what there is."""

FLAGS = 0x20 | 0x08 | 0x04
"""Bits of the first chunk by which there are a profile, EXIF and XMP."""


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the content of each chunk."""
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        yield name, content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def chunk(content: bytes, wanted: bytes) -> bytes:
    """The content of the first chunk of a name, b"" for none."""
    return next((data for name, data in chunks(content) if name == wanted), b"")


def without_metadata(content: bytes) -> bytes:
    """The same file with only what pixels depend on."""
    body = b"WEBP"
    for name, data in chunks(content):
        if name == b"VP8X" and data:
            data = bytes([data[0] & ~FLAGS]) + data[1:]
        elif name not in NEEDED:
            continue
        body += name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body
