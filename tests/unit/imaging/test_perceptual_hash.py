import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dtst_flow.imaging.perceptual_hash import SAMPLES, SIDE, perceptual_hash


def differing(one: int, other: int) -> int:
    return (one ^ other).bit_count()


@pytest.fixture(scope="module")
def photo(group_photo) -> Image.Image:
    return Image.open(group_photo).convert("RGB")


def encoded(photo: Image.Image, kind: str, **options) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, kind, **options)
    return Image.open(file).convert("RGB")


def cropped(photo: Image.Image, share: float) -> Image.Image:
    x, y = round(photo.width * share), round(photo.height * share)
    return photo.crop((x, y, photo.width - x, photo.height - y))


@pytest.mark.parametrize(
    ("copy", "bits"),
    [
        (lambda photo: encoded(photo, "JPEG", quality=30), 2),
        (lambda photo: encoded(photo, "WEBP", quality=50), 2),
        (lambda photo: encoded(photo, "PNG"), 0),
        (lambda photo: photo.reduce(2), 2),
        (lambda photo: photo.resize((200, 200)), 4),
        (lambda photo: photo.resize((4000, 2769)), 2),
        (lambda photo: photo.point(lambda value: value * 0.8), 2),
        (lambda photo: photo.convert("L").convert("RGB"), 0),
        (lambda photo: cropped(photo, 0.02), 8),
    ],
)
def test_a_copy_differs_in_few_bits(photo, copy, bits):
    own = perceptual_hash(np.asarray(photo))
    assert differing(own, perceptual_hash(np.asarray(copy(photo)))) <= bits


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_a_turned_photo_is_another(photo, turn):
    own = perceptual_hash(np.asarray(photo))
    turned = perceptual_hash(np.asarray(photo.transpose(turn)))
    assert differing(own, turned) > 16


def test_it_is_the_same_everywhere_and_always(photo):
    own = perceptual_hash(np.asarray(photo))
    assert f"{own:016x}" == "99ff1f4c780846e1"
    assert perceptual_hash(np.asarray(photo).copy()) == own


@given(st.integers(0, 255), st.tuples(st.integers(1, 700), st.integers(1, 700)))
def test_plain_images_are_alike(grey, shape):
    plain = perceptual_hash(np.full((*shape, 3), grey, np.uint8))
    assert plain == (1 << 63 if grey else 0)


def test_it_is_that_of_the_definition():
    """The transform and the median written out, on an image that need not be shrunk."""
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    n = np.arange(SIDE) + 0.5
    strengths = [
        [
            float(np.cos(np.pi * u * n / SIDE) @ image @ np.cos(np.pi * v * n / SIDE))
            for v in range(8)
        ]
        for u in range(8)
    ]
    middle = np.median(strengths)
    bits = "".join(str(int(s > middle)) for row in strengths for s in row)
    grey = np.repeat(image[..., None], 3, axis=2)
    assert perceptual_hash(grey) == int(bits, 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3 * SAMPLES, 40)])
def test_any_image_has_one(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert 0 <= perceptual_hash(noise) < 1 << 64
