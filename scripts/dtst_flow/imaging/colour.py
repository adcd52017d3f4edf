"""Bring colours to sRGB.

Profiles are applied by LittleCMS, with relative colorimetric intent and black point
compensation. A picture whose space looks like sRGB is left as it is, at no cost.
"""

import functools
import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from dtst_flow.imaging import spaces
from dtst_flow.imaging.spaces import Space

MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
"""What a profile says its numbers are -> the Pillow mode of pictures it is for."""

PLACE_OF_KIND = slice(16, 20)
"""Where in a profile that stands."""

NEAR = 1
"""Of 255 levels: if no colour would change more, the picture is taken for sRGB."""

CONTRAST = 64
"""Levels by which white is lighter than black, at least, in a profile of any sense."""


class BrokenProfile(Exception):
    """A profile that cannot be applied; the message says why."""


def to_srgb(image: Image.Image, space: Space) -> Image.Image:
    """Bring a picture to sRGB.

    Args:
        image: Of mode L, LA, RGB, RGBA or CMYK.
        space: What its numbers stand for; not HDR.

    Returns:
        The picture itself if its colours are sRGB's, else one of mode RGB or RGBA.

    Raises:
        BrokenProfile: The profile is broken, or for other pictures.
    """
    if space == spaces.SRGB:
        return image
    try:
        icc = space if isinstance(space, bytes) else spaces.profile(space)
    except ValueError as error:
        raise BrokenProfile(str(error)) from error
    kind = MODES.get(icc[PLACE_OF_KIND])
    if kind == "RGB" and image.mode in ("L", "LA"):
        image = image.convert("RGB" if image.mode == "L" else "RGBA")
    if kind != image.mode.removesuffix("A"):
        raise BrokenProfile("it is for other kinds of pictures")
    if image.mode == "LA":
        shown = _applied(_transform(icc, "L"), image.getchannel("L")).convert("RGB")
        shown.putalpha(image.getchannel("A"))
        return shown
    return _applied(_transform(icc, image.mode), image)


def _applied(
    transform: ImageCms.ImageCmsTransform | None, image: Image.Image
) -> Image.Image:
    """Change colours; None leaves them as they are."""
    if transform is None:
        return image
    done: Image.Image | None = ImageCms.applyTransform(image, transform)
    assert done is not None  # as it is not done in place
    return done


@functools.lru_cache(16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build what brings a profile's colours to sRGB; None if they are sRGB's.

    Raises:
        BrokenProfile: Nothing can be built, or nothing of any sense.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            transform = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(BytesIO(icc)),
                ImageCms.createProfile("sRGB"),
                mode,
                "RGBA" if mode == "RGBA" else "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        before = _probe(mode)
        after = _applied(transform, before)
    except Exception as error:  # ImageCms raises several types
        raise BrokenProfile("LittleCMS cannot apply it") from error
    found = np.asarray(after.convert("RGB"), int).reshape(-1, 3)
    dark, light = (found[0], found[-1]) if mode != "CMYK" else (found[-1], found[0])
    if (light - dark).mean() < CONTRAST:
        raise BrokenProfile("by it white would be no lighter than black")
    if mode == "CMYK":
        return transform
    expected = np.asarray(before.convert("RGB"), int).reshape(-1, 3)
    return transform if np.abs(found - expected).max() > NEAR else None


def _probe(mode: str) -> Image.Image:
    """A picture of colours all over a mode, the first black (of inks: white)."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    bands = 4 if mode == "CMYK" else 3
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * bands, indexing="ij"), -1)
    flat = np.ascontiguousarray(grid.reshape(1, -1, bands))
    if mode == "CMYK":
        return Image.frombytes(mode, flat.shape[1::-1], flat.tobytes())
    return Image.fromarray(flat).convert(mode)
