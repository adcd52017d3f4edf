"""Reading images: any supported file becomes upright 8-bit RGB."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageOps
from pillow_heif import register_heif_opener

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".avif",
        ".heic",
    ]
)
"""File types taken for images (compared in lower case)."""

WHITE = "#ffffff"
"""What shows through transparent pixels unless another colour is chosen."""

register_heif_opener()


class UnreadableImage(Exception):
    """A file that is not an image we can decode; the message says why."""


def read(
    path: str | Path, background: str = WHITE, least: int | None = None
) -> np.ndarray:
    """Decode an image file, turned upright by its EXIF orientation.

    Animations give their first frame; transparent pixels show `background`, a colour as
    "#rrggbb"; 16-bit and floating-point grey is scaled to 8 bits. Images of more than
    Pillow's limit of 179 million pixels are refused.

    least  for speed, a JPEG may come at a half, a quarter or an eighth of its size,
           neither side shorter than this

    Returns (height, width, 3) uint8 RGB. Raises UnreadableImage.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns from half its limit on; photos of that size are fine here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if least:
                    image.draft(None, (least, least))
                image.load()
                return np.asarray(_flatten(ImageOps.exif_transpose(image), background))
    except Exception as error:  # decoders raise nearly every type there is
        raise UnreadableImage(f"cannot be decoded: {error}") from error


def size(path: str | Path) -> tuple[int, int]:
    """(width, height) of an image as stored, from its header. Raises UnreadableImage."""
    try:
        with Image.open(path) as image:
            return image.size
    except Exception as error:
        raise UnreadableImage(f"cannot be decoded: {error}") from error


def _flatten(image: Image.Image, background: str) -> Image.Image:
    """Bring any Pillow mode to RGB."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_to_8_bit(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, ImageColor.getcolor(background, "RGBA"))
        return Image.alpha_composite(flat, rgba).convert("RGB")
    return image.convert("RGB")


def _grey_to_8_bit(image: Image.Image) -> Image.Image:
    """Scale wide grey to 8 bits: 16-bit by its full range, others by their own.

    Floats from 0 to 1 are taken for shares of white, pixels that are no number for black.
    """
    grey = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16") or (
        image.mode == "I" and grey.min() >= 0 and 255 < grey.max() <= 65535
    ):
        grey = grey / 257.0
    elif image.mode == "F" and grey.min() >= 0 and grey.max() <= 1:
        grey = grey * 255.0
    elif grey.min() < 0 or grey.max() > 255:
        grey = (grey - grey.min()) * (255.0 / (np.ptp(grey) or 1.0))
    return Image.fromarray(np.round(grey).astype(np.uint8)).convert("RGB")
