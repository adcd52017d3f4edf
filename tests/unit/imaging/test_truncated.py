"""Files that are cut short: how much is missing, and what is read of them."""

import numpy as np
import pytest
from PIL import Image

from dtst_flow.imaging import decode
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.imaging.file import Listener
from helpers.nasty_files import encode, picture

PHOTO = picture().resize((200, 640), Image.Resampling.BICUBIC)
NOISE = np.random.default_rng(0).normal(0, 12, (640, 200, 3))
PHOTO = Image.fromarray(np.clip(np.asarray(PHOTO) + NOISE, 0, 255).astype(np.uint8))

JPEGS = {
    "baseline": {"subsampling": "4:4:4"},
    "subsampled": {"subsampling": "4:2:0"},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
}
ENDS = {
    "whole": b"",
    "half a marker": b"\xff",
    "room reserved": bytes(5000),
}


def jpeg(kind: str, mode: str = "RGB") -> bytes:
    """A JPEG without its end."""
    content = encode(PHOTO.convert(mode), "JPEG", quality=90, **JPEGS[kind])
    assert content.endswith(b"\xff\xd9")
    return content[:-2]


def read(content: bytes, **options) -> tuple[np.ndarray, list[str]]:
    notes: list[str] = []
    listener = Listener(note=notes.append)
    return decode.read(content, listener=listener, **options), notes


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("end", ENDS)
def test_a_jpeg_that_lacks_only_its_end_is_read(kind, mode, end):
    content = jpeg(kind, mode)
    found, notes = read(content + ENDS[end])
    expected = decode.read(content + b"\xff\xd9")
    assert (found == expected).all() and notes == []


@pytest.mark.parametrize("kind", JPEGS)
def test_at_a_fraction_as_well(kind):
    found, _ = read(jpeg(kind), least=50)
    assert found.shape == (160, 50, 3)


@pytest.mark.parametrize("kind", ["baseline", "subsampled", "restarts"])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
def test_of_missing_rows_it_is_told_how_many(kind, share):
    content = jpeg(kind)
    head = content.index(b"\xff\xda")
    content = content[: head + int((len(content) - head) * (1 - share))]
    if share < decode.MISSING:
        found, (note,) = read(content)
        assert "it is cut short, " in note
    else:
        with pytest.raises(UnreadableImage, match="--allow-truncated") as why:
            read(content)
        told = float(str(why.value).partition("short, ")[2].partition("%")[0]) / 100
        assert abs(told - share) < 0.08
        found, notes = read(content, allow_truncated=True)
        assert len(notes) == 1
    whole = np.asarray(PHOTO).astype(int)
    there = int(640 * (1 - share)) - 40
    if there > 0:
        assert np.abs(found[:there] - whole[:there]).mean() < 12


def test_a_progressive_one_needs_all_its_scans():
    content = jpeg("progressive")
    last = content.rindex(b"\xff\xda")
    found, (note,) = read(content[: last + (len(content) - last) * 98 // 100])
    assert np.abs(found - np.asarray(PHOTO).astype(int)).mean() < 12
    assert "it is cut short, " in note
    half = last + (len(content) - last) // 2
    for end in (half, *range(last - 40, last + 12)):
        with pytest.raises(UnreadableImage, match="--allow-truncated"):
            read(content[:end])
        found, notes = read(content[:end], allow_truncated=True)
        assert found.shape == (640, 200, 3) and len(notes) == 1


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_other_formats_give_what_there_is(kind):
    content = encode(PHOTO, kind, **{"interlace": 0} if kind == "GIF" else {})
    expected = decode.read(content).astype(int)
    half = content[: len(content) // 2]
    if kind == "TIFF":  # whose list of pages Pillow writes before the pixels
        assert content.index(b"\x00\x01\x04\x00") < len(half)
    with pytest.raises(UnreadableImage, match="--allow-truncated"):
        read(half)
    found, (note,) = read(half, allow_truncated=True)
    assert "it is cut short, " in note and found.shape == (640, 200, 3)
    rows = slice(330, 640) if kind == "BMP" else slice(0, 300)
    assert (found[rows] == expected[rows]).all()
    rest = found[:250] if kind == "BMP" else found[400:]
    assert kind == "GIF" or abs(int(np.median(rest)) - 127) < 2


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_missing_end_is_overlooked(kind):
    content = encode(PHOTO, kind)
    end = {"PNG": 12, "GIF": 1, "BMP": 3}[kind]
    found, _ = read(content[:-end])
    assert found.shape == (640, 200, 3)


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize("size", [2, 20, 200, 600])
def test_without_any_pixel_it_stays_an_error(allow, size):
    with pytest.raises(UnreadableImage):
        read(jpeg("baseline")[:size], allow_truncated=allow)
