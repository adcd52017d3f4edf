from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dtst_flow.imaging.encode import FORMATS, encode

SETTINGS = {"jpg": {"quality": 95, "subsampling": "4:4:4"}, "png": {}}
"""Suffix -> how Pillow is told to write such a file."""

NOISE = np.random.default_rng(0).integers(0, 256, (37, 50, 3)).astype(np.uint8)
VIEWS = {
    "noise": NOISE,
    "one pixel": NOISE[:1, :1],
    "part of a photo": NOISE[3:20, 5:31],
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("view", VIEWS)
def test_a_file_is_what_pillow_writes(view, suffix):
    file = BytesIO()
    kind = {"jpg": "JPEG"}.get(suffix, suffix)
    Image.fromarray(VIEWS[view]).save(file, kind, **SETTINGS[suffix])
    assert encode(VIEWS[view], suffix) == file.getvalue()


def test_less_quality_is_a_smaller_file():
    assert len(encode(NOISE, quality=50)) < len(encode(NOISE))
