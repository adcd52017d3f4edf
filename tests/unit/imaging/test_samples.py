"""TIFFs of every kind of sample: the picture, or a reason that is true."""

import itertools
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from dtst_flow.imaging import decode, tiff
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.imaging.file import Listener
from helpers.nasty_files import encode, picture

RGB = np.asarray(picture())
GREY = np.asarray(picture().convert("L"))
TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8"]
LAYOUTS = ["grey", "white is zero", "rgb", "planar", "rgba", "grey alpha", "cmyk"]
WAYS = [
    {},
    {"tile": (16, 16)},
    {"compression": "zlib", "rowsperstrip": 5},
    {"compression": "zlib", "predictor": True},
    {"compression": "zlib", "predictor": True, "tile": (16, 16)},
    {"bigtiff": True},
]


def written(array: np.ndarray, **options) -> bytes:
    content = BytesIO()
    tifffile.imwrite(content, array, **options)
    return content.getvalue()


def widened(levels: np.ndarray, kind: str) -> np.ndarray:
    """The same picture in samples of another type, by their full range."""
    if kind[0] == "f":
        return (levels / 255).astype(kind)
    # As Python's numbers, as 64 bits are more than floats hold.
    return (np.asarray(levels, object) * int(np.iinfo(kind).max) // 255).astype(kind)


def stored(layout: str, kind: str) -> tuple[np.ndarray, dict]:
    """The picture as samples, and how to tell a TIFF of them."""
    grey, rgb, full = (widened(a, kind) for a in (GREY, RGB, np.full_like(GREY, 255)))
    top = 1 if kind[0] == "f" else np.iinfo(kind).max
    inks = widened(np.asarray(picture().convert("CMYK")), kind)
    return {
        "grey": (grey, {"photometric": "minisblack"}),
        "white is zero": (
            (top - grey).astype(kind),
            {"photometric": "miniswhite"},
        ),
        "rgb": (rgb, {"photometric": "rgb"}),
        "planar": (
            np.ascontiguousarray(rgb.transpose(2, 0, 1)),
            {"photometric": "rgb", "planarconfig": "separate"},
        ),
        "rgba": (
            np.dstack([rgb, full]),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        ),
        "grey alpha": (
            np.dstack([grey, full]),
            {"photometric": "minisblack", "extrasamples": ["unassalpha"]},
        ),
        "cmyk": (inks, {"photometric": "separated"}),
    }[layout]


def assert_shows(content: bytes, expected: np.ndarray, off: float = 1.5) -> list[str]:
    """It is read as expected, on average so far off; returns what was said of it."""
    notes: list[str] = []
    found = decode.read(content, listener=Listener(note=notes.append))
    expected = expected if expected.ndim == 3 else np.dstack([expected] * 3)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < off
    return notes


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_in_every_layout(layout, kind):
    expected = GREY if layout in ("grey", "white is zero", "grey alpha") else RGB
    samples, options = stored(layout, kind)
    for order, way in itertools.product("<>", WAYS):
        differences = "predictor" in way
        if differences and (kind in ("u8", "f2", "f4", "f8")):
            continue  # tifffile alone writes no such differences
        content = written(samples, byteorder=order, **options, **way)
        assert assert_shows(content, expected) == []


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("side", [None, 16])
def test_differences_of_floats(kind, count, side):
    """PREDICTOR 3, as Photoshop writes it, here undone by hand."""
    shown = RGB if count == 3 else GREY[..., None]
    size = int(kind[1])
    rows = (shown / 255).astype(f">{kind}")
    blocks = [rows] if side is None else np.split(rows, range(side, 48, side), 1)
    parts = []
    for block in blocks:
        planes = block.view(np.uint8).reshape(len(block), -1, size).transpose(0, 2, 1)
        flat = planes.reshape(len(block), -1, count)
        steps = np.diff(flat, axis=1, prepend=np.zeros_like(flat[:, :1]))
        parts.append(steps.reshape(len(block), -1))
    options = {"photometric": "rgb" if count == 3 else "minisblack"}
    if side:
        options["tile"] = (side, side)
    plain = written(rows.astype(f"<{kind}").squeeze(), compression=None, **options)
    page = tiff.picture(plain)
    at = page.numbers(tiff.TILE_OFFSETS if side else tiff.OFFSETS)
    data = bytearray(plain)
    for column, part in enumerate(parts):
        for row in range(len(at) // len(parts)):
            piece = part[row * side : (row + 1) * side] if side else part
            start = at[row * len(parts) + column]
            data[start : start + piece.size] = piece.tobytes()
    entries = dict(page.tags)
    content = tiff._with_page(
        tiff.picture(bytes(data)), entries | {tiff.PREDICTOR: (3,)}
    )
    assert_shows(content, shown.squeeze())


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
@pytest.mark.parametrize("count", [1, 3])
def test_odd_numbers_of_bits(bits, count):
    shown = RGB if count == 3 else GREY
    levels = np.round(shown / 255 * (2**bits - 1)).astype(np.uint32)
    ones = levels[..., None] >> np.arange(bits - 1, -1, -1) & 1
    packed = np.packbits(ones.reshape(len(shown), -1).astype(np.uint8), axis=1)
    kind = "rgb" if count == 3 else "minisblack"
    content = written(np.zeros_like(shown), photometric=kind, rowsperstrip=len(shown))
    page = tiff.picture(content + packed.tobytes())
    entries = dict(page.tags)
    entries |= {tiff.OFFSETS: (len(content),), tiff.COUNTS: (packed.size,)}
    made = tiff._with_page(page, entries | {tiff.BITS: (bits,) * count})
    assert_shows(made, shown, 255 / 2**bits)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", ["u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("shown", [GREY, RGB], ids=["grey", "rgb"])
def test_few_bits_in_wide_samples(bits, kind, shown):
    """As cameras and scanners write them; read by their full range they are black."""
    levels = np.round(shown / 255 * (2**bits - 1)).astype(kind)
    photometric = "rgb" if shown.ndim == 3 else "minisblack"
    (note,) = assert_shows(written(levels, photometric=photometric), shown)
    assert f"only {bits} are used" in note
    if kind == "u2" and shown.ndim == 2:
        (note,) = assert_shows(encode(Image.fromarray(levels), "PNG"), shown)
    if kind == "u2" and shown.ndim == 3:
        import cv2

        png = cv2.imencode(".png", levels[..., ::-1])[1].tobytes()
        (note,) = assert_shows(png, shown)
        assert f"only {bits} are used" in note


def test_floats_beyond_white_are_clipped_and_told():
    light = (RGB / 255 * 1.3).astype(np.float32)
    (note,) = assert_shows(
        written(light, photometric="rgb"), np.minimum(RGB * 1.3, 255)
    )
    assert "brighter than white" in note


def test_half_of_the_opacity_shows_half_of_the_background():
    rgba = np.dstack([RGB, np.full_like(GREY, 128)])
    wide = widened(rgba, "u2")
    content = written(wide, photometric="rgb", extrasamples=["unassalpha"])
    assert_shows(content, (RGB + 255.0) / 2, 2)
    wide[..., :3] //= 2
    content = written(wide, photometric="rgb", extrasamples=["assocalpha"])
    assert_shows(content, (RGB + 255.0) / 2, 2)


@pytest.mark.parametrize(
    ("samples", "options", "reason"),
    [
        (
            GREY.astype("c8"),
            {"photometric": "minisblack"},
            "64 bits a sample, format 6",
        ),
        (GREY.astype("u2"), {"photometric": "cfa"}, "raw data of a sensor (CFA)"),
        (RGB.astype("u2"), {"photometric": "linear_raw"}, "(linear raw)"),
        (RGB.astype("u2"), {"photometric": "cielab"}, "photometric 8"),
    ],
)
def test_what_is_not_read_is_told(samples, options, reason):
    with pytest.raises(UnreadableImage) as raised:
        decode.read(written(samples, **options))
    assert reason in str(raised.value)


class TestPages:
    SMALL = np.full((8, 12, 3), 90, np.uint8)

    def written(self, *pages: tuple, **options) -> bytes:
        content = BytesIO()
        with tifffile.TiffWriter(content, **options) as file:
            for image, more in pages:
                file.write(image, photometric="rgb", metadata=None, **more)
        return content.getvalue()

    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("order", "<>")
    def test_a_smaller_version_is_passed_over(self, big, order):
        for small in ({"subfiletype": 1}, {"subfiletype": 3}):
            pages = (self.SMALL, small), (RGB, {}), (self.SMALL, {})
            content = self.written(*pages, bigtiff=big, byteorder=order)
            assert_shows(content, RGB)

    def test_the_picture_may_hang_below_its_thumbnail(self):
        """As raw converters and DNG lay pages out."""
        pages = (self.SMALL, {"subfiletype": 1, "subifds": 1}), (RGB, {})
        assert_shows(self.written(*pages), RGB)

    def test_of_many_pages_the_first(self):
        assert_shows(self.written((RGB, {}), (self.SMALL, {})), RGB)

    def test_of_smaller_versions_alone_the_largest(self):
        pages = (self.SMALL, {"subfiletype": 1}), (RGB, {"subfiletype": 1})
        assert_shows(self.written(*pages), RGB)

    def test_a_picture_counts_rather_than_raw_data(self):
        content = BytesIO()
        with tifffile.TiffWriter(content) as file:
            options = {"photometric": "rgb", "subfiletype": 1, "subifds": 2}
            file.write(self.SMALL, metadata=None, **options)
            file.write(GREY.astype("u2"), photometric="cfa", metadata=None)
            file.write(RGB, photometric="rgb", subfiletype=1, metadata=None)
        assert_shows(content.getvalue(), RGB)

    def test_pages_in_a_circle_end(self):
        content = bytearray(self.written((RGB, {"subfiletype": 1})))
        page = tiff.picture(bytes(content))
        end = page.at + 2 + 12 * len(page.tags)
        content[end : end + 4] = content[4:8]
        assert_shows(bytes(content), RGB)


@pytest.mark.parametrize("layout", ["rgb", "planar", "grey"])
def test_the_limit_of_size_holds_before_anything_is_decoded(layout, monkeypatch):
    samples, options = stored(layout, "u2")
    monkeypatch.setattr(tiff, "in_bytes", None)
    with pytest.raises(UnreadableImage, match="--max-pixels"):
        decode.read(written(samples, **options), max_pixels=GREY.size - 1)


def test_jpegs_of_12_bits_are_told():
    jpeg = bytearray(encode(picture(), "JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnreadableImage, match="a JPEG of 12 bits a sample"):
        decode.read(bytes(jpeg))
