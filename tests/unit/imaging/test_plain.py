"""Plain JPEGs are decoded by another library than all else, to the same pixels."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from skimage import data

from dtst_flow.imaging import decode, orientation, plain

PHOTO = Image.fromarray(data.astronaut()[:300, :211])


def jpeg(image: Image.Image = PHOTO, **settings) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **settings)
    return file.getvalue()


def by_pillow(content: bytes) -> np.ndarray | str:
    """What is read where no JPEG is plain, or why nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "size", lambda content: 0)
        return read(content)


def read(content: bytes) -> np.ndarray | str:
    try:
        return decode.read(content)
    except decode.UnreadableImage as error:
        return str(error)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("side", [1, 8, 211])
def test_pixels_are_those_of_pillow(subsampling, progressive, side):
    part = PHOTO.crop((0, 0, side, 300))
    content = jpeg(part, subsampling=subsampling, progressive=progressive)
    assert plain.size(content) == side * 300
    np.testing.assert_array_equal(read(content), by_pillow(content))


@pytest.mark.parametrize("turn", orientation.TURNS)
def test_photos_are_turned_as_by_pillow(turn):
    exif = Image.Exif()
    exif[orientation.ORIENTATION] = turn
    content = jpeg(exif=exif)
    assert plain.size(content) and not np.array_equal(read(content), PHOTO)
    np.testing.assert_array_equal(read(content), by_pillow(content))


def test_a_profile_of_srgb_is_plain():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = jpeg(icc_profile=profile)
    np.testing.assert_array_equal(read(content), by_pillow(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        jpeg(PHOTO.convert("L")),
        jpeg(PHOTO.convert("CMYK")),
        jpeg()[:-2],
        jpeg() + b"\0",
        jpeg(icc_profile=b"no profile"),
        jpeg()[:2] + jpeg()[-2:],
    ],
)
def test_all_else_is_pillows(content):
    assert plain.size(content) == 0


def test_a_limit_of_pixels_holds():
    with pytest.raises(decode.UnreadableImage, match="--max-pixels"):
        decode.read(jpeg(), max_pixels=211 * 300 - 1)
    assert decode.read(jpeg(), max_pixels=211 * 300).shape == (300, 211, 3)


@given(st.data())
def test_damage_is_for_pillow_to_judge(data):
    content = bytearray(jpeg(quality=60))
    places = st.integers(2, len(content) - 3)
    for place in data.draw(st.lists(places, min_size=1, max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    found, known = read(bytes(content)), by_pillow(bytes(content))
    if isinstance(known, str):
        assert found == known
    else:
        np.testing.assert_array_equal(found, known)
