import csv
import itertools
import struct
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor, ImageFile, ImageOps

from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.imaging import decode, samples
from dtst_flow.imaging.decode import UnreadableImage

RED, WHITE = (255, 0, 0), (255, 255, 255)

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> how a camera that writes it has turned the upright picture."""


def picture(width: int = 40, height: int = 24) -> Image.Image:
    """A smooth picture that no turn or mirror brings onto itself."""
    y, x = np.mgrid[:height, :width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    blue = np.where((x < width / 2) & (y < height / 2), 200, 60)
    return Image.fromarray(np.dstack([red, green, blue]).astype(np.uint8))


PICTURE = np.asarray(picture())


def encoded(suffix: str) -> bytes:
    """The picture as a file of such a name holds it."""
    Image.init()
    content = BytesIO()
    format = {".jfif": "JPEG"}.get(suffix) or Image.EXTENSION[suffix]
    picture().save(content, format, quality=95, sizes=[(40, 24)])
    return content.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def told_by_exif(
    image: Image.Image, kind: str, orientation: int, own: int = 1
) -> bytes:
    """A HEIC or AVIF whose EXIF says one orientation, and the file itself another."""
    tags = exif(own)
    tags[0x0113] = 1  # for encoders that take the other out
    content = BytesIO()
    image.save(content, kind, quality=95, exif=tags.tobytes())
    data = content.getvalue()
    for order, tag in itertools.product("<>", (0x0112, 0x0113)):
        place = data.find(struct.pack(f"{order}HHIH", tag, 3, 1, 1))
        if place >= 0:
            entry = struct.pack(f"{order}HHIH", 0x0112, 3, 1, orientation)
            return data[:place] + entry + data[place + len(entry) :]
    raise AssertionError("its EXIF was not found")


def assert_near(found: np.ndarray, expected, tolerance: float) -> None:
    """The same picture, up to what compression takes on average."""
    assert found.dtype == np.uint8 and found.shape == np.shape(expected)
    assert np.abs(found.astype(float) - expected).mean() <= tolerance


class TestOrientation:
    @pytest.mark.parametrize("orientation", STORED)
    @pytest.mark.parametrize(
        ("suffix", "options", "tolerance"),
        [
            (".png", {}, 0),
            (".tif", {}, 0),
            (".webp", {"lossless": True, "exact": True}, 0),
            (".jpg", {"quality": 95, "subsampling": 0}, 3),
            (".avif", {"quality": 95}, 3),
        ],
    )
    def test_every_picture_comes_out_upright(
        self, tmp_path, orientation, suffix, options, tolerance
    ):
        path = tmp_path / f"x{suffix}"
        turn = STORED[orientation]
        stored = picture() if turn is None else picture().transpose(turn)
        stored.save(path, exif=exif(orientation), **options)
        assert_near(decode.read(path), PICTURE, tolerance)

    @pytest.mark.parametrize("orientation", STORED)
    def test_heic_is_turned_once(self, orientation):
        turn = STORED[orientation]
        stored = picture() if turn is None else picture().transpose(turn)
        content = BytesIO()
        # As bytes, pillow-heif notes the orientation both in HEIC's own way and in EXIF.
        stored.save(content, "HEIF", quality=95, exif=exif(orientation).tobytes())
        boxes = (b"irot", b"imir")
        assert any(map(content.getvalue().count, boxes)) == (orientation > 1)
        assert_near(decode.read(content.getvalue()), PICTURE, 4)

    @pytest.mark.parametrize("orientation", STORED)
    @pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
    def test_heic_and_avif_without_a_turn_of_their_own_are_turned_by_exif(
        self, orientation, kind
    ):
        turn = STORED[orientation]
        stored = picture() if turn is None else picture().transpose(turn)
        content = told_by_exif(stored, kind, orientation)
        assert not any(map(content.count, (b"irot", b"imir")))
        assert_near(decode.read(content), PICTURE, 4)

    @pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
    def test_their_own_turn_counts_where_exif_says_another(self, kind):
        stored = picture().transpose(Image.Transpose.ROTATE_90)
        content = told_by_exif(stored, kind, 3, own=6)
        assert content.count(b"irot")
        assert_near(decode.read(content), PICTURE, 4)

    def test_the_photos_of_all_orientations_look_the_same(self, shared):
        folder = shared / "data/nasty/exif_orientation"
        photos = [decode.read(folder / f"landscape_{i}.jpg") for i in range(1, 9)]
        assert {photo.shape for photo in photos} == {(450, 600, 3)}
        likeness = np.corrcoef([photo.ravel() for photo in photos])
        assert likeness.min() > 0.95
        assert np.corrcoef(photos[0].ravel(), photos[0][::-1].ravel())[0, 1] < 0.7

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Tag data larger")
    @pytest.mark.parametrize(
        ("orientation", "tags"),
        [
            (1, b"garbage"),
            (1, b""),
            (1, b"II*\0" + struct.pack("<I", 1 << 30)),
            (1, b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 99)),
            # A text whose place lies far outside, then a good orientation.
            (
                6,
                b"II*\0"
                + struct.pack("<IH", 8, 2)
                + struct.pack("<HHII", 0x010F, 2, 500, 1 << 20)
                + struct.pack("<HHII", 0x0112, 3, 1, 6)
                + bytes(4),
            ),
            # A rational of zero by zero, which is no number, and a text of bytes.
            (
                6,
                b"II*\0"
                + struct.pack("<IH", 8, 3)
                + struct.pack("<HHII", 0x010F, 2, 4, 0xFFFEFDFC)
                + struct.pack("<HHII", 0x0112, 3, 1, 6)
                + struct.pack("<HHII", 0x011A, 5, 1, 50)
                + bytes(20),
            ),
        ],
        ids=["garbage", "empty", "offset", "value 99", "text outside", "odd values"],
    )
    def test_broken_tags_cost_nothing_else(self, tmp_path, orientation, tags):
        path = tmp_path / "x.jpg"
        turn = STORED[orientation]
        stored = picture() if turn is None else picture().transpose(turn)
        stored.save(path, exif=b"Exif\0\0" + tags, quality=95, subsampling=0)
        assert_near(decode.read(path), PICTURE, 3)


class TestTransparency:
    @pytest.mark.parametrize("background", ["#ffffff", "#000000", "#0a78fa"])
    def test_hidden_colours_stay_hidden(self, tmp_path, background):
        alpha = Image.fromarray(np.tile(np.uint8([0, 51, 255]), (4, 1)))
        image = Image.new("RGB", (3, 4), RED)
        image.putalpha(alpha)
        image.save(tmp_path / "x.png")
        found = decode.read(tmp_path / "x.png", background)
        expected = [
            np.add(
                np.multiply(ImageColor.getrgb(background), 1 - a), np.multiply(RED, a)
            )
            for a in (0, 0.2, 1)
        ]
        np.testing.assert_allclose(found, np.tile(expected, (4, 1, 1)), atol=1)

    def test_white_unless_told_otherwise(self, tmp_path):
        Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "x.png")
        assert (decode.read(tmp_path / "x.png") == 255).all()

    def test_grey(self, tmp_path):
        image = Image.new("LA", (2, 1))
        image.putdata([(40, 255), (40, 0)])
        image.save(tmp_path / "x.png")
        found = decode.read(tmp_path / "x.png", "#010203")
        assert found.tolist() == [[[40, 40, 40], [1, 2, 3]]]

    @pytest.mark.parametrize("suffix", [".png", ".gif"])
    def test_palette(self, tmp_path, suffix):
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.putdata([0, 1])
        image.save(tmp_path / f"x{suffix}", transparency=1)
        found = decode.read(tmp_path / f"x{suffix}", "#010203")
        assert found.tolist() == [[[255, 0, 0], [1, 2, 3]]]

    @pytest.mark.parametrize(
        ("mode", "colour", "key", "shown"),
        [("RGB", RED, RED, (1, 2, 3)), ("L", 7, 7, (1, 2, 3)), ("L", 7, 8, (7, 7, 7))],
    )
    def test_a_colour_declared_transparent(self, tmp_path, mode, colour, key, shown):
        Image.new(mode, (2, 2), colour).save(tmp_path / "x.png", transparency=key)
        assert (decode.read(tmp_path / "x.png", "#010203") == shown).all()


class TestGrey:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_16_bits_by_their_full_range(self, tmp_path, order, suffix):
        wide = np.linspace(0, 65535, 600).reshape(20, 30).astype(f"{order}u2")
        Image.fromarray(wide).save(tmp_path / f"x{suffix}")
        found = decode.read(tmp_path / f"x{suffix}")
        assert found.min() == 0 and found.max() == 255
        np.testing.assert_allclose(found[..., 0], wide / 257, atol=0.51)
        assert (found == found[..., :1]).all()

    def test_a_dark_16_bit_picture_stays_dark(self, tmp_path):
        dark = np.linspace(0, 20 * 257, 100).reshape(10, 10).astype(np.uint16)
        Image.fromarray(dark).save(tmp_path / "x.png")
        assert decode.read(tmp_path / "x.png").max() == 20

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0, 51, 255], [0, 51, 255]),
            ([0, 257 * 3, 65535], [0, 3, 255]),
            ([0, 1 << 20, 1 << 21], [0, 127.5, 255]),
            ([1 << 20, 1 << 20, 1 << 20], [0, 0, 0]),
            ([-100, 0, 100], [0, 127.5, 255]),
            ([7, 7, 7], [7, 7, 7]),
            ([-7, -7, -8], [255, 255, 0]),
            ([0.0, 0.2, 1.0], [0, 51, 255]),
            ([0.0, 127.6, 255.0], [0, 128, 255]),
            ([-1.0, 0.0, 1.0], [0, 127.5, 255]),
            ([0.0, 500.0, 1000.0], [0, 127.5, 255]),
            ([np.nan, 0.5, 1.0], [0, 127.5, 255]),
            ([np.inf, -np.inf, 1.0], [0, 0, 255]),
            ([np.inf, np.nan, np.nan], [0, 0, 0]),
        ],
    )
    def test_32_bits(self, tmp_path, values, expected):
        kind = np.float32 if isinstance(values[0], float) else np.int32
        Image.fromarray(np.array([values], kind)).save(tmp_path / "x.tif")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = decode.read(tmp_path / "x.tif")
        np.testing.assert_allclose(found[0, :, 0], expected, atol=0.51)

    def test_12_bits_by_their_full_range(self, shared):
        path = shared / "data/nasty/formats/12bit.cropped.tif"
        stored = np.asarray(Image.open(path)).astype(float)
        assert 0 < stored.max() < 100  # it is a dark one
        found = decode.read(path)[..., 0]
        np.testing.assert_allclose(found, stored * 255 / 4095, atol=0.51)

    def test_large_ones_are_scaled_piece_by_piece(self, tmp_path, monkeypatch):
        monkeypatch.setattr(samples, "PIECE", 7)
        wide = np.linspace(-1000, 3000, 600).reshape(20, 30).astype(np.int32)
        Image.fromarray(wide).save(tmp_path / "x.tif")
        found = decode.read(tmp_path / "x.tif")[..., 0]
        np.testing.assert_allclose(found, (wide + 1000) * 255 / 4000, atol=0.51)


class TestFormats:
    @pytest.mark.parametrize("suffix", sorted(IMAGES.suffixes))
    def test_every_type_that_is_taken_for_an_image_is_read(self, tmp_path, suffix):
        path = tmp_path / f"x{suffix.upper()}"
        path.write_bytes(encoded(suffix))
        assert_near(decode.read(str(path)), PICTURE, 12)
        assert_near(decode.read(encoded(suffix)), PICTURE, 12)

    @pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
    def test_every_mode_becomes_rgb(self, tmp_path, mode):
        image = picture().convert("L").convert("RGB") if mode == "1" else picture()
        if mode == "LAB":
            image = Image.new("LAB", (40, 24), (128, 128, 128))
        image.convert(mode).save(tmp_path / "x.tif")
        found = decode.read(tmp_path / "x.tif")
        assert found.shape == (24, 40, 3) and found.dtype == np.uint8
        if mode in ("CMYK", "YCbCr"):
            assert_near(found, PICTURE, 3)
        if mode in ("L", "P"):
            grey = ImageOps.grayscale(Image.fromarray(found))
            assert_near(np.asarray(grey), np.asarray(picture().convert("L")), 12)

    def test_cmyk_jpeg(self, tmp_path):
        picture().convert("CMYK").save(tmp_path / "x.jpg", quality=95)
        assert_near(decode.read(tmp_path / "x.jpg"), PICTURE, 4)

    @pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
    def test_of_several_frames_the_first(self, tmp_path, suffix):
        frames = [Image.new("RGB", (8, 8), c) for c in (RED, (0, 0, 255), (0, 255, 0))]
        path = tmp_path / f"x{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        assert Image.open(path).n_frames == 3
        assert (decode.read(path) == RED).all()

    def test_content_tells_not_the_name(self, tmp_path):
        picture().save(tmp_path / "x.jpg", "PNG")
        assert (decode.read(tmp_path / "x.jpg") == PICTURE).all()


class TestUnreadable:
    @pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff", bytes(999)])
    def test_what_is_no_image(self, tmp_path, content):
        (tmp_path / "x.jpg").write_bytes(content)
        with pytest.raises(UnreadableImage, match="cannot be decoded: "):
            decode.read(tmp_path / "x.jpg")

    def test_nothing_or_a_folder(self, tmp_path):
        for path in (tmp_path, tmp_path / "nowhere.jpg"):
            with pytest.raises(UnreadableImage):
                decode.read(path)

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
    def test_half_a_file(self, tmp_path, suffix):
        path = tmp_path / f"x{suffix}"
        picture(400, 300).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UnreadableImage):
            decode.read(path)

    def test_the_reason_can_be_printed_whatever_the_name(self, tmp_path):
        path = tmp_path / "caf\udce9\n.jpg"
        path.touch()
        with pytest.raises(UnreadableImage) as raised:
            decode.read(path)
        assert "\n" not in str(raised.value) and str(raised.value).encode()

    @settings(deadline=None)
    @given(
        suffix=st.sampled_from([".jpg", ".png", ".gif", ".webp", ".tif", ".bmp"]),
        edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5),
    )
    def test_damaged_files_are_decoded_or_reported(
        self, tmp_path_factory, suffix, edits
    ):
        path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
        picture().save(path)
        content = bytearray(path.read_bytes())
        for place, value in edits:
            content[int(place * (len(content) - 1))] = value
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = decode.read(path)
            except UnreadableImage:
                return
        assert found.dtype == np.uint8 and found.shape[2:] == (3,)

    @pytest.mark.parametrize("suffix", sorted(IMAGES.suffixes))
    def test_the_limit_of_size(self, tmp_path, monkeypatch, suffix):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(encoded(suffix))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert decode.read(path, max_pixels=40 * 24).shape == (24, 40, 3)
        for name in ("load", "draft"):
            monkeypatch.setattr(ImageFile.ImageFile, name, None)
        with pytest.raises(UnreadableImage, match=r"more than 959 .*--max-pixels"):
            decode.read(path, max_pixels=40 * 24 - 1)

    def test_what_hides_in_an_icon_is_limited_as_well(self, tmp_path):
        icon = BytesIO()
        picture().save(icon, "ICO", sizes=[(40, 24)])
        assert icon.getvalue()[6:8] == bytes([40, 24])
        lying = icon.getvalue()[:6] + bytes([1, 1]) + icon.getvalue()[8:]
        with pytest.raises(UnreadableImage, match="--max-pixels"):
            decode.read(lying, max_pixels=40 * 24 - 1)

    def test_other_kinds_of_files_reach_no_decoder(self, monkeypatch):
        postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
        assert Image.open(BytesIO(postscript)).format == "EPS"
        tga = BytesIO()
        picture().save(tga, "TGA")
        for content in (postscript, tga.getvalue()):
            with pytest.raises(UnreadableImage, match="no image of a known type"):
                decode.read(content)

    def test_reasons_are_the_same_wherever_the_bytes_lie(self, tmp_path):
        assert reason(b"") == "cannot be decoded: it is empty"
        jpeg = encoded(".jpg")
        for content in (b"text", jpeg[: len(jpeg) // 2], encoded(".png")[:60]):
            (tmp_path / "x.jpg").write_bytes(content)
            assert reason(content) == reason(tmp_path / "x.jpg")


def reason(source: bytes | Path) -> str:
    with pytest.raises(UnreadableImage) as raised:
        decode.read(source)
    return str(raised.value)


def test_nasty_files(shared):
    """Each is decoded, or reported, as its list says."""
    data = shared / "data"
    with open(data / "nasty.csv", errors="surrogateescape", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if _is_listed(data, row)]
    wrong = []
    for row in rows:
        may_fail = "report" in row["expected"] or "exhaust" in row["expected"]
        must_fail = "report" in row["expected"] and "decode" not in row["expected"]
        try:
            found = decode.read(data / row["file"])
        except UnreadableImage:
            fine = may_fail
        else:
            fine = not must_fail and found.dtype == np.uint8 and found.ndim == 3
        if not fine:
            wrong.append(row)
    assert wrong == [] and len(rows) > 90


def _is_listed(data: Path, row: dict) -> bool:
    # The 108 megapixels of one file alone take seconds and a gigabyte.
    return (data / row["file"]).is_file() and row["kind"] != "large_108MP"


def test_jpegs_are_read_at_a_fraction_that_is_large_enough(tmp_path):
    for mode in ("RGB", "L", "CMYK"):
        Image.new(mode, (1000, 800)).save(tmp_path / "a.jpg")
        assert decode.read(tmp_path / "a.jpg", least=100).shape == (100, 125, 3)
        assert decode.read(tmp_path / "a.jpg", least=500).shape == (800, 1000, 3)
