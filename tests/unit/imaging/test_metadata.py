"""What lies beside the pixels: it turns a photo and gives its colours, and costs none."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dtst_flow.imaging import decode
from dtst_flow.imaging.file import Listener
from helpers import odd_tags
from helpers.nasty_files import encode, picture

PICTURE = np.asarray(picture()).astype(int)
quick = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
order = st.sampled_from("<>")


def assert_read(content: bytes, what: str = "") -> list[str]:
    """The picture comes out upright; returns what was said of it."""
    notes: list[str] = []
    found = decode.read(content, listener=Listener(note=notes.append))
    assert found.shape == PICTURE.shape, what
    assert np.abs(found - PICTURE).mean() < 5, what
    return notes


@quick
@given(orientation=st.integers(1, 8), tags=odd_tags.ifds, order=order)
def test_random_tags_of_random_types_cost_no_photo(orientation, tags, order):
    for kind, content in odd_tags.photos(orientation, tags, order).items():
        assert_read(content, kind)


@quick
@given(block=st.binary(max_size=200), start=st.sampled_from([b"", b"II*\0\x08\0\0\0"]))
def test_exif_that_is_none_costs_no_photo(block, start):
    shown = picture()
    block = start + block
    jpeg = odd_tags.with_segments(
        encode(shown, "JPEG", quality=95), (0xE1, b"Exif\0\0" + block)
    )
    decode.read(jpeg)
    chunk = odd_tags.png_chunk(b"eXIf", block)
    decode.read(odd_tags.with_chunks(encode(shown, "PNG"), chunk))


SEGMENTS = [
    (0xE0, b"JFIF\0"),
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
    (0xE1, b"Exif\0\0"),
    (0xE2, b"ICC_PROFILE\0"),
    (0xE2, b"ICC_PROFILE\0\1\1"),
    (0xE2, b"MPF\0"),
    (0xE2, b"MPF\0II*\0\x08\0\0\0"),
    (0xE2, b"FPXR\0"),
    (0xED, b"Photoshop 3.0\0"),
    (0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\4"),
    (0xEE, b"Adob"),
    (0xFE, b""),
]


@quick
@given(data=st.binary(max_size=60))
def test_odd_segments_of_a_jpeg_cost_no_photo(data):
    whole = encode(picture(), "JPEG", quality=95)
    for marker, start in SEGMENTS:
        content = odd_tags.with_segments(whole, (marker, start + data))
        if marker != 0xE1:
            assert_read(content, str(start))


CHUNKS = [b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"tIME", b"sBIT", b"hIST"]
CHUNKS += [b"sPLT", b"sRGB", b"eXIf", b"bKGD", b"oFFs", b"prVt", b"caBX", b"mDCV"]


@quick
@given(data=st.binary(max_size=60), name=st.sampled_from(CHUNKS))
def test_odd_chunks_of_a_png_cost_no_photo(data, name):
    whole = encode(picture(), "PNG")
    chunk = odd_tags.png_chunk(name, data)
    if name != b"eXIf":
        assert_read(odd_tags.with_chunks(whole, chunk), name.decode())
    # A wrong checksum, which browsers overlook as well.
    assert_read(odd_tags.with_chunks(whole, chunk[:-1] + bytes([chunk[-1] ^ 1])))


def test_a_text_that_unpacks_to_megabytes_is_left_packed():
    packed = zlib.compress(bytes(60_000_000), 1)
    chunk = odd_tags.png_chunk(b"zTXt", b"Comment\0\0" + packed)
    assert_read(odd_tags.with_chunks(encode(picture(), "PNG"), chunk))


@quick
@given(data=st.binary(max_size=60))
def test_odd_chunks_of_a_webp_cost_no_photo(data):
    whole = encode(
        picture(),
        "WEBP",
        lossless=True,
        exif=b"e" * 40,
        xmp=b"x" * 40,
        icc_profile=b"i" * 40,
    )
    for letter in b"xi":
        assert_read(whole.replace(bytes([letter]) * 40, data[:40].ljust(40, b"\0")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("profile", [b"?", b"?" * 200, bytes(4000)])
def test_a_broken_profile_is_told_and_ignored(kind, profile):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    content = encode(picture(), kind, icc_profile=profile, **options)
    assert ["ignored" in note for note in assert_read(content, kind)] == [True]


def test_exif_is_found_where_imagemagick_puts_it():
    turned = picture().transpose(Image.Transpose.ROTATE_90)
    block = b"Exif\0\0" + odd_tags.exif(6, ([],) * 5, "<")
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode("latin-1")
    chunk = odd_tags.png_chunk(
        b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)
    )
    assert_read(odd_tags.with_chunks(encode(turned, "PNG"), chunk))


def test_xmp_turns_nothing():
    """Neither do browsers turn by it: it stays when pixels were turned."""
    upright = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="1"/></x:xmpmeta>'
    )
    turned = upright.replace(b"1", b"6")
    for kind in ("JPEG", "WEBP", "TIFF", "HEIF", "AVIF"):
        options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
        if kind == "TIFF":
            options = {"tiffinfo": {700: upright}}
        content = encode(picture(), kind, xmp=upright, **options)
        assert content.count(upright) == 1, kind
        assert_read(content.replace(upright, turned), kind)


def test_the_first_of_two_orientations_counts():
    turned = picture().transpose(Image.Transpose.ROTATE_90)
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    other = struct.pack("<HHIHH", 0x0112, 3, 1, 3, 0)
    block = b"II*\0" + struct.pack("<IH", 8, 2) + entry + other + bytes(4)
    jpeg = encode(turned, "JPEG", quality=95)
    assert_read(odd_tags.with_segments(jpeg, (0xE1, b"Exif\0\0" + block)))
