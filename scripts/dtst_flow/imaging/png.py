"""What a PNG says of its picture beside its pixels."""

import struct
import zlib
from collections.abc import Iterator

from dtst_flow.imaging import spaces
from dtst_flow.imaging.spaces import Coded, Space

SIGNATURE = b"\x89PNG\r\n\x1a\n"

NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks that pixels depend on."""

GAMMA_OF_SRGB = 1 / 2.2
NEAR = 0.05
"""By what share a gamma may differ and still stand for sRGB's curve, as in libpng."""

MOST_PROFILE = 1 << 24
"""Bytes of a profile, at most."""

Chunk = tuple[bytes, int, int]
"""The name of a chunk, where its content begins, and where it ends."""


def chunks(content: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a PNG."""
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        yield name, at + 8, min(at + 8 + size, len(content))
        at += 12 + size


def without_metadata(content: bytes) -> bytes:
    """The same file with only what pixels depend on."""
    parts = [
        content[start - 8 : end + 4]
        for name, start, end in chunks(content)
        if name in NEEDED
    ]
    return SIGNATURE + b"".join(parts)


def exif(content: bytes) -> bytes:
    """The EXIF of a PNG, b"" for none."""
    return next(
        (content[a:b] for name, a, b in chunks(content) if name == b"eXIf"), b""
    )


def is_wide(content: bytes) -> bool:
    """Whether its samples have 16 bits."""
    return content[24:25] == b"\x10"


def space(content: bytes) -> Space:
    """What a PNG's numbers stand for.

    Of cICP, iCCP, sRGB and gAMA with cHRM the first counts, as the standard says.

    Raises:
        ValueError: Its profile cannot be unpacked.
    """
    told: dict[bytes, bytes] = {}
    for name, start, end in chunks(content):
        if name == b"IDAT":
            break
        told.setdefault(name, content[start:end])
    codes, profile = told.get(b"cICP", b""), told.get(b"iCCP")
    if len(codes) >= 4:
        return spaces.of_codes(codes[0], codes[1])
    if profile is not None:
        return spaces.of_profile(_unpacked(profile))
    if b"sRGB" in told:
        return spaces.SRGB
    return _of_gamma(told.get(b"gAMA", b""), told.get(b"cHRM", b""))


def _unpacked(chunk: bytes) -> bytes:
    packed = chunk.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, MOST_PROFILE)
    except zlib.error as error:
        raise ValueError("it cannot be unpacked") from error


def _of_gamma(gamma: bytes, chromaticities: bytes) -> Coded:
    primaries, exponent = spaces.SRGB.primaries, None
    if len(chromaticities) >= 32:
        x, y, *others = (n / 100000 for n in struct.unpack_from(">8I", chromaticities))
        told = (*others, x, y)
        far = max(abs(a - b) for a, b in zip(told, primaries, strict=True))
        primaries = told if far > 0.001 else primaries
    if len(gamma) >= 4 and (encoded := int.from_bytes(gamma[:4]) / 100000):
        near = abs(encoded / GAMMA_OF_SRGB - 1) <= NEAR
        exponent = None if near else 1 / encoded
    return Coded(primaries, exponent)
