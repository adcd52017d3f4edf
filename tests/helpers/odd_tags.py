"""EXIF of random tags of random types, and files that hold it."""

import struct
import zlib
from functools import cache

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from dtst_flow.imaging import tiff
from helpers.nasty_files import STORED, encode, picture

POINTERS = (0x8769, 0x8825, 0xA005)
"""Tags of the first IFD that lead to EXIF's own, GPS and interoperability."""

STRUCTURE = tiff.NEEDED | {0x0112, *POINTERS}
"""Tags that say how pixels are laid out, or that are written here on purpose."""

SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
"""Type of a tag -> bytes of a value; those from 14 on are no types."""

known = st.sampled_from(
    [
        *range(32),
        0x10F,
        0x11A,
        0x11B,
        0x128,
        0x132,
        0x213,
        0x2BC,
        0x83BB,
        0x8298,
        0x8649,
        0x8773,
        0x9003,
        0x9101,
        0x927C,
        0x9286,
        0xA001,
        0xA002,
        0xA40A,
    ]
)
tag = st.tuples(
    st.one_of(known, st.integers(0, 0xFFFF)),
    st.integers(0, 20),
    st.one_of(st.integers(0, 9), st.sampled_from([1000, 1 << 16, (1 << 32) - 1])),
    st.binary(max_size=40),
)
ifd = st.lists(tag.filter(lambda tag: tag[0] not in STRUCTURE), max_size=6)
ifds = st.tuples(ifd, ifd, ifd, ifd, ifd)
"""Of the first IFD, EXIF, GPS, interoperability, and the thumbnail's."""


def exif(orientation: int, tags: tuple, order: str) -> bytes:
    """An EXIF block with an orientation and other tags."""
    first, *below, thumbnail = tags
    first = [*first, (0x0112, 3, 1, struct.pack(f"{order}H", orientation))]
    blocks, pointers = b"", []
    size = 8 + _size([*first, *((p, 4, 1, b"") for p in POINTERS)])
    for number, inside in zip(POINTERS, below, strict=True):
        at = size + len(blocks)
        pointers.append((number, 4, 1, struct.pack(f"{order}I", at)))
        blocks += _block(inside, at, order, 0)
    head = b"II*\0" if order == "<" else b"MM\0*"
    following = size + len(blocks)
    body = _block([*first, *pointers], 8, order, following)
    last = _block(thumbnail, following, order, 0)
    return head + struct.pack(f"{order}I", 8) + body + blocks + last


def _size(tags: list) -> int:
    return 6 + sum(12 + (len(data) if len(data) > 4 else 0) for *_, data in tags)


def _block(tags: list, at: int, order: str, following: int) -> bytes:
    at += 6 + 12 * len(tags)
    rows = more = b""
    for number, kind, count, data in sorted(tags):
        place = struct.pack(f"{order}I", at + len(more))
        rows += struct.pack(f"{order}HHI", number, kind, count)
        rows += data.ljust(4, b"\0") if len(data) <= 4 else place
        more += data if len(data) > 4 else b""
    end = struct.pack(f"{order}I", following)
    return struct.pack(f"{order}H", len(tags)) + rows + end + more


ROOM = 4000
"""Bytes of EXIF that `photos` makes, at most."""


@cache
def _with_room(kind: str, orientation: int) -> bytes:
    """The picture, stored turned, with EXIF to be written over."""
    room = Image.Exif()
    room[0x9286] = b"#" * ROOM
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    return encode(_stored(orientation), kind, exif=room.tobytes(), **options)


def _placed(kind: str, orientation: int, block: bytes) -> bytes:
    """A file into which EXIF was put as it is, as encoders would look into it."""
    content = _with_room(kind, orientation)
    start = content.rindex(b"MM\0*", 0, content.index(b"#" * ROOM))
    size = content.index(b"#" * ROOM) + ROOM - start
    assert len(block) <= size
    return content[:start] + block.ljust(size, b"\0") + content[start + size :]


def _stored(orientation: int) -> Image.Image:
    turn = STORED.get(orientation)
    return picture() if turn is None else picture().transpose(turn)


def png_chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return (
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
    )


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks behind its first."""
    return png[:33] + b"".join(chunks) + png[33:]


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with more segments at its beginning."""
    more = (
        b"\xff" + struct.pack(">BH", marker, len(data) + 2) + data
        for marker, data in segments
    )
    return jpeg[:2] + b"".join(more) + jpeg[2:]


PLACE = 0x7A7B7C7D
"""Stands for the place of pixels until it is known."""


def _tiff(shown: Image.Image, orientation: int, tags: tuple, order: str) -> bytes:
    """A TIFF with these tags beside its own."""
    colours = np.asarray(shown)
    block = exif(
        orientation,
        (
            [
                *tags[0],
                *(
                    (number, 4, 1, struct.pack(f"{order}I", value))
                    for number, value in (
                        (256, shown.width),
                        (257, shown.height),
                        (259, 1),
                        (262, 2),
                        (273, PLACE),
                        (277, 3),
                        (278, shown.height),
                        (279, colours.size),
                    )
                ),
                (258, 3, 3, struct.pack(f"{order}3H", 8, 8, 8)),
            ],
            *tags[1:],
        ),
        order,
    )
    here = struct.pack(f"{order}I", PLACE), struct.pack(f"{order}I", len(block))
    return block.replace(*here) + colours.tobytes()


def photos(orientation: int, tags: tuple, order: str) -> dict[str, bytes]:
    """The picture, stored turned, in every format that has EXIF, with such tags."""
    shown = _stored(orientation)
    block = exif(orientation, tags, order)
    clean = {"quality": 95, "subsampling": "4:4:4"}
    return {
        "JPEG": with_segments(
            encode(shown, "JPEG", **clean), (0xE1, b"Exif\0\0" + block)
        ),
        "PNG": with_chunks(encode(shown, "PNG"), png_chunk(b"eXIf", block)),
        "WEBP": _placed("WEBP", orientation, block),
        "TIFF": _tiff(shown, orientation, tags, order),
        "HEIF": _placed("HEIF", orientation, block),
        "AVIF": _placed("AVIF", orientation, block),
    }
