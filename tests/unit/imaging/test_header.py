"""The size of an image is read from its header, as its decoder finds it."""

import io

import pytest
from PIL import Image

from dtst_flow.imaging import header
from dtst_flow.imaging.decode import UnreadableImage


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_a_size_is_read_without_the_pixels(kind):
    buffer = io.BytesIO()
    Image.effect_noise((60, 40), 50).convert("RGB").save(buffer, kind)
    assert header.size(buffer.getvalue()) == (60, 40)


def test_pixels_that_are_cut_off_are_not_missed():
    buffer = io.BytesIO()
    Image.effect_noise((600, 400), 50).save(buffer, "JPEG")
    assert header.size(buffer.getvalue()[:2000]) == (600, 400)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"no image", b"%PDF-1.4 \n"])
def test_what_has_no_header_is_told(content):
    with pytest.raises(UnreadableImage, match="no image of a known type"):
        header.size(content)
