"""Whatever space its numbers are of, a picture comes as sRGB."""

import itertools
import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage.color import rgb2lab

from dtst_flow.imaging import decode, hdr, spaces
from dtst_flow.imaging.file import Listener
from dtst_flow.imaging.spaces import PRIMARIES, Coded
from helpers import odd_tags
from helpers.nasty_files import encode, picture

P3 = Coded(PRIMARIES[12])
ADOBE = Coded((0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *spaces.D65), 563 / 256)
PROPHOTO = Coded((0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585), 1.8)
SPACES = {"P3": P3, "Adobe": ADOBE, "ProPhoto": PROPHOTO}
PHOTO = picture().resize((96, 64))
FORMATS = {
    "JPEG": {"quality": 100, "subsampling": "4:4:4"},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "HEIF": {"quality": 100, "chroma": 444},
}


def converted(image: Image.Image, icc: bytes, mode: str) -> Image.Image:
    """The same colours in the numbers of a profile."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    done = ImageCms.profileToProfile(image, srgb, profile, outputMode=mode)
    del done.info["icc_profile"]  # encoders would write it unasked
    return done


def difference(found: np.ndarray, expected: Image.Image) -> float:
    """Of two pictures, on average, in CIE 1976 dE."""
    labs = rgb2lab(found), rgb2lab(np.asarray(expected.convert("RGB")))
    return float(np.sqrt(((labs[0] - labs[1]) ** 2).sum(-1)).mean())


def notes_on(content: bytes) -> list[str]:
    notes: list[str] = []
    decode.read(content, listener=Listener(note=notes.append))
    return notes


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", FORMATS)
def test_profiles_of_rgb(kind, name):
    icc = spaces.profile(SPACES[name])
    stored = converted(PHOTO, icc, "RGB")
    assert difference(np.asarray(stored), PHOTO) > 2
    plain = encode(PHOTO, kind, **FORMATS[kind])
    loss = difference(decode.read(plain), PHOTO)
    content = encode(stored, kind, icc_profile=icc, **FORMATS[kind])
    assert difference(decode.read(content), PHOTO) < loss + 1
    assert notes_on(content) == []


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_profiles_of_grey(mode):
    """A gamma of 1.8, as of old Macs: what is stored is lighter than it is shown."""
    icc = grey_profile(1.8)
    light = spaces.srgb_to_linear(np.arange(256) / 255) ** (1 / 1.8)
    grey = PHOTO.convert("L")
    stored = light[np.asarray(grey)]
    if mode == "I;16":
        image = Image.fromarray(np.round(stored * 65535).astype(np.uint16))
    else:
        image = Image.fromarray(np.round(stored * 255).astype(np.uint8)).convert(mode)
    assert difference(decode.read(encode(image, "PNG", icc_profile=icc)), grey) < 1


def grey_profile(gamma: float) -> bytes:
    """The RGB profile of our own, made one of grey."""
    curve = struct.pack(">4s4xIH", b"curv", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"wtpt": white, b"kTRC": curve, b"desc": b"desc" + bytes(100)}
    head = spaces.profile(P3)[:128].replace(b"RGB XYZ ", b"GRAYXYZ ")
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, 168 + len(data), len(content))
        data += content
    return struct.pack(">I", 168 + len(data)) + head[4:] + table + data


def test_grey_pictures_may_have_a_profile_of_rgb():
    grey = PHOTO.convert("L")
    icc = spaces.profile(P3)
    # Of neutral colours, P3 is as sRGB.
    content = encode(grey, "JPEG", quality=100, icc_profile=icc)
    assert difference(decode.read(content), grey) < 1 and notes_on(content) == []


@pytest.mark.parametrize("kind", ["u2", "f4"])
@pytest.mark.parametrize("primaries", [P3, PROPHOTO], ids=["P3", "ProPhoto"])
def test_profiles_of_light_itself(kind, primaries):
    """As raw converters write them; in 8 bits, shadows would become steps."""
    linear = Coded(primaries.primaries, 1.0)
    dark = Image.fromarray(np.asarray(PHOTO) // 5)
    light = spaces.srgb_to_linear(np.asarray(dark) / 255)
    matrix = np.linalg.inv(spaces.to_xyz(linear.primaries)) @ spaces.to_xyz(
        PRIMARIES[1]
    )
    shares = np.clip(light @ matrix.T, 0, 1)
    samples = shares.astype("f4") if kind == "f4" else np.round(shares * 65535)
    icc = straight(spaces.profile(Coded(linear.primaries)))
    content = BytesIO()
    options = {"photometric": "rgb", "iccprofile": icc}
    tifffile.imwrite(content, samples.astype(kind), **options)
    assert difference(decode.read(content.getvalue()), dark) < 1


def straight(icc: bytes) -> bytes:
    """A profile with straight lines in place of its curves."""
    data = bytearray(icc)
    at = icc.index(b"curv")
    data[at : at + 12] = b"curv" + bytes(8)
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        place = icc.index(name)
        data[place + 4 : place + 12] = struct.pack(">II", at, 12)
    return bytes(data)


def test_transparent_pixels_are_kept_and_shown():
    icc = spaces.profile(PROPHOTO)
    stored = converted(PHOTO, icc, "RGB")
    stored.putalpha(Image.linear_gradient("L").resize(stored.size))
    whole = PHOTO.copy()
    whole.putalpha(stored.getchannel("A"))
    expected = Image.new("RGBA", whole.size, "#0a78fa")
    expected.alpha_composite(whole)
    found = decode.read(encode(stored, "PNG", icc_profile=icc), "#0a78fa")
    assert difference(found, expected) < 1


def test_palettes_have_profiles():
    icc = spaces.profile(PROPHOTO)
    few = PHOTO.quantize(32).convert("RGB")
    stored = converted(few, icc, "RGB").quantize(256, Image.Quantize.FASTOCTREE)
    found = decode.read(encode(stored, "PNG", icc_profile=icc))
    assert (
        difference(found, few) < 4 < difference(np.asarray(stored.convert("RGB")), few)
    )


INKS = np.array(list(itertools.product((0, 1), repeat=4)))
"""All ways to print with each of four inks or not at all."""


def ink_profile() -> bytes:
    """A profile of a printer: inks are no ideal ones, and black is not the darkest."""
    cyan, magenta, yellow, black = INKS.T[:, :, None]
    light = (1 - cyan * (0.95, 0.35, 0.1)) * (1 - magenta * (0.1, 0.85, 0.4))
    light = light * (1 - yellow * (0.02, 0.1, 0.9)) * (1 - black * (0.85, 0.85, 0.85))
    lab = rgb2lab(light[None])[0]
    corners = np.column_stack([lab[:, 0] * 2.55, lab[:, 1:] + 128]).round()
    straight = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + straight * 4
    table += corners.astype(np.uint8).tobytes() + straight * 3
    table += bytes(-len(table) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    head = spaces.profile(P3)[:128].replace(b"mntrRGB XYZ ", b"prtrCMYKLab ")
    at = 128 + 4 + 12 * 2
    tags = struct.pack(">I4sII", 2, b"A2B0", at, len(table))
    tags += struct.pack(">4sII", b"wtpt", at + len(table), len(white))
    size = struct.pack(">I", at + len(table + white))
    return size + head[4:] + tags + table + white


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "wide TIFF"])
def test_profiles_of_inks(kind):
    """As LittleCMS shows them to the eye, and unlike what is done without a profile."""
    inks = Image.frombytes("CMYK", (16, 1), (INKS * 255).astype(np.uint8).tobytes())
    inks, icc = inks.resize((256, 16), Image.Resampling.NEAREST), ink_profile()
    expected = ImageCms.profileToProfile(
        inks,
        ImageCms.ImageCmsProfile(BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if kind == "wide TIFF":
        content = BytesIO()
        samples = np.asarray(inks).astype(np.uint16) * 257
        options = {"photometric": "separated", "iccprofile": icc}
        tifffile.imwrite(content, samples, **options)
        found = decode.read(content.getvalue())
    else:
        options = FORMATS[kind] | {"icc_profile": icc}
        found = decode.read(encode(inks, kind, **options))
    assert difference(found, expected) < 1
    assert difference(found, inks) > 5


def test_srgb_costs_nothing():
    """A picture whose profile is sRGB's is not even copied."""
    from dtst_flow.imaging import colour

    icc = spaces.profile(spaces.SRGB)
    for profile in (
        icc,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        assert colour.to_srgb(PHOTO, profile) is PHOTO


@pytest.mark.parametrize(
    ("kind", "mode", "icc"),
    [
        ("JPEG", "CMYK", spaces.profile(P3)),
        ("PNG", "RGB", grey_profile(1.8)),
        ("PNG", "RGB", spaces.profile(P3)[:300]),
        ("PNG", "RGB", spaces.profile(P3).replace(b"curv", b"vruc")),
        ("PNG", "RGB", spaces.profile(P3).replace(b"RGB XYZ ", b"CMYKXYZ ")),
    ],
    ids=["of other inks", "of grey", "cut short", "without curves", "lying"],
)
def test_what_cannot_be_applied_is_told_and_ignored(kind, mode, icc):
    content = encode(PHOTO.convert(mode), kind, icc_profile=icc)
    (note,) = notes_on(content)
    assert note.startswith("its colour profile was ignored: ")
    assert difference(decode.read(content), PHOTO) < 3


def png(*chunks: tuple[bytes, bytes], image: Image.Image = PHOTO) -> bytes:
    return odd_tags.with_chunks(
        encode(image, "PNG"), *(odd_tags.png_chunk(*chunk) for chunk in chunks)
    )


def hundred_thousandths(*values: float) -> bytes:
    return b"".join(struct.pack(">I", round(value * 100_000)) for value in values)


CHRM_P3 = (b"cHRM", hundred_thousandths(*spaces.D65, *P3.primaries[:6]))
GAMA = (b"gAMA", hundred_thousandths(1 / 2.2))
ICCP = (b"iCCP", b"x\0\0" + zlib.compress(spaces.profile(PROPHOTO)))


@pytest.mark.parametrize(
    ("chunks", "space"),
    [
        ([GAMA], None),
        ([(b"sRGB", b"\0"), GAMA, CHRM_P3], None),
        ([CHRM_P3], P3),
        ([GAMA, CHRM_P3], P3),
        ([(b"gAMA", hundred_thousandths(1 / 1.8))], Coded(gamma=1.8)),
        ([(b"gAMA", bytes(4))], None),
        ([(b"cHRM", bytes(32))], None),
        ([ICCP, GAMA, CHRM_P3], PROPHOTO),
        ([(b"cICP", bytes([12, 13, 0, 1])), ICCP], P3),
        ([(b"cICP", bytes([2, 2, 0, 1]))], None),
    ],
)
def test_chunks_of_a_png_count_as_in_browsers(chunks, space):
    stored = converted(PHOTO, spaces.profile(space), "RGB") if space else PHOTO
    assert difference(decode.read(png(*chunks, image=stored)), PHOTO) < 1


def test_codes_of_a_file_without_a_profile():
    """P3 told by H.273's numbers alone, as some AVIFs and HEICs do."""
    stored = converted(PHOTO, spaces.profile(P3), "RGB")
    content = heif(stored, color_primaries=12, transfer_characteristics=13)
    assert b"nclx" in content
    assert difference(decode.read(content), PHOTO) < 1.5
    avif = encode(stored, "AVIF", quality=100, subsampling="4:4:4")
    told = avif.replace(b"nclx\0\1\0\x0d", b"nclx\0\x0c\0\x0d")
    assert told != avif and difference(decode.read(told), PHOTO) < 1.5


def test_matrices_are_those_of_known_profiles():
    known = [
        [0.5151, 0.2920, 0.1571],
        [0.2412, 0.6922, 0.0666],
        [-0.0011, 0.0419, 0.7841],
    ]
    np.testing.assert_allclose(spaces.to_xyz(P3.primaries), known, atol=2e-4)


class TestHdr:
    BT2020 = PRIMARIES[9]

    def light(self, image: Image.Image) -> np.ndarray:
        """Linear BT.2020 of a picture, in cd/m², its white at 203."""
        linear = spaces.srgb_to_linear(np.asarray(image) / 255)
        matrix = np.linalg.inv(spaces.to_xyz(self.BT2020)) @ spaces.to_xyz(PRIMARIES[1])
        return np.clip(linear @ matrix.T, 0, None) * 203

    def signal(self, light: np.ndarray, curve: int) -> np.ndarray:
        if curve == spaces.PQ:
            return hdr.to_pq(light)
        luminance = (light / 1000) @ spaces.to_xyz(self.BT2020)[1]
        scene = light / 1000 * np.maximum(luminance, 1e-6)[..., None] ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9))
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high + 0.55991073)

    @pytest.mark.parametrize("curve", [spaces.PQ, spaces.HLG])
    @pytest.mark.parametrize("depth", [8, 16])
    def test_what_a_usual_screen_shows_stays(self, curve, depth):
        most = 2**depth - 1
        signal = self.signal(self.light(PHOTO), curve)
        pixels = np.round(signal * most).astype(f"u{depth // 8}")
        found = hdr.to_srgb(pixels, Coded(self.BT2020, None, curve))
        assert difference(found, PHOTO) < (1 if depth == 16 else 3)

    def test_highlights_are_compressed_and_the_rest_stays(self):
        ramp = np.linspace(0, 1, 1000) ** 2 * 4000
        pixels = np.round(hdr.to_pq(ramp) * 65535).astype(np.uint16)
        grey = np.tile(pixels[:, None], (4, 1, 3))
        shown = hdr.to_srgb(grey, Coded(self.BT2020, None, spaces.PQ))[0, :, 0]
        assert (np.diff(shown.astype(int)) >= 0).all() and shown[-1] == 255
        dark = ramp < 30
        usual = spaces.srgb_to_linear(shown / 255)
        np.testing.assert_allclose(usual[dark], ramp[dark] / 203, atol=0.003)
        assert 150 < shown[np.argmin(abs(ramp - 203))] < 250

    @pytest.mark.parametrize("curve", [spaces.PQ, spaces.HLG])
    def test_in_files(self, curve):
        signal = np.round(self.signal(self.light(PHOTO), curve) * 65535)
        whole = np.ascontiguousarray(signal.astype(np.uint16))
        cicp = odd_tags.png_chunk(b"cICP", bytes([9, curve, 0, 1]))
        png = odd_tags.with_chunks(wide_png(whole), cicp)
        assert difference(decode.read(png), PHOTO) < 1

        codes = {"color_primaries": 9, "transfer_characteristics": curve}
        stored = pillow_heif.from_bytes("RGB;16", PHOTO.size, whole.tobytes())
        assert difference(decode.read(heif(stored, **codes, bit_depth=10)), PHOTO) < 2

    def test_in_avifs_of_10_bits(self):
        ten = np.round(self.signal(self.light(PHOTO), spaces.PQ) * 1023).astype(
            np.uint16
        )
        options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 95]
        content = cv2.imencode(".avif", ten[..., ::-1], options)[1].tobytes()
        told = content.replace(b"nclx\0\1\0\x0d", b"nclx\0\x09\0\x10")
        assert told != content and difference(decode.read(told), PHOTO) < 3


def heif(image: Image.Image | pillow_heif.HeifFile, **options: int) -> bytes:
    """A HEIC whose colours are told by numbers."""
    if isinstance(image, Image.Image):
        image = pillow_heif.from_pillow(image)
    content = BytesIO()
    codes = {"matrix_coefficients": 9, "full_range_flag": 1, "chroma": 444}
    image.save(content, format="HEIF", quality=100, **codes, **options)
    return content.getvalue()


def wide_png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
