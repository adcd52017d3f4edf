"""Read TIFFs of samples that Pillow does not read, or not in full: 16 bits, floats, ….

Pillow unpacks them as if each byte were a pixel of grey; what the bytes mean is found here.
So every sample is read in full, whatever the compression, and in whichever way samples are
laid out.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from dtst_flow.imaging import spaces, tiff
from dtst_flow.imaging.samples import Note, to_8_bits
from dtst_flow.imaging.spaces import Space
from dtst_flow.imaging.tags import Page

MODES = {0: "L", 1: "L", 2: "RGB", 5: "CMYK"}
"""Kind of page that is read here (of the first 0 is white) -> its Pillow mode."""

PACKED = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Ways to compress bytes, whatever they mean."""

ASSOCIATED, UNASSOCIATED = 1, 2
"""What EXTRA says of a sample that tells how opaque a pixel is; by the first of them its
colours are multiplied already."""

DIFFERENCES, FLOAT_DIFFERENCES = 2, 3
"""What PREDICTOR says: samples are differences to those of the pixel before."""

MOST_SAMPLES = 16
"""Of a pixel."""

TYPES = {tiff.INTEGERS: "u", tiff.UNTOLD: "u", tiff.SIGNED: "i", tiff.FLOATS: "f"}
WHOLE_BYTES = (8, 16, 32, 64)

Samples = NDArray[Any]


class UnknownSamples(Exception):
    """Samples of a kind that is not read; the message says which."""


def is_wide(page: Page) -> bool:
    """Whether a page is for this module."""
    kinds = set(page.numbers(tiff.FORMAT)) or {tiff.INTEGERS}
    bits = page.numbers(tiff.BITS) or (1,)
    usual = max(bits) == 8 or (max(bits) < 8 and page.number(tiff.SAMPLES, 1) == 1)
    plain = usual and kinds <= {tiff.INTEGERS, tiff.UNTOLD}
    return not plain and page.number(tiff.PHOTOMETRIC, 1) in MODES


def what(page: Page) -> str:
    """The samples of a page in words."""
    bits = "+".join(map(str, page.numbers(tiff.BITS)[:8] or (1,)))
    kind = page.number(tiff.PHOTOMETRIC, -1)
    if kind in tiff.RAW:
        return (
            f"it holds raw data of a sensor ({tiff.RAW[kind]}), which is no picture yet"
        )
    return (
        f"it is a TIFF of a kind that is not read: {bits} bits a sample, "
        f"format {page.number(tiff.FORMAT, 1)}, photometric {kind}, "
        f"compression {page.number(tiff.COMPRESSION, 1)}, "
        f"predictor {page.number(tiff.PREDICTOR, 1)}"
    )


def read(page: Page, note: Note) -> Image.Image:
    """Decode a page.

    Args:
        page: For which `is_wide` holds.
        note: Is told what the reader of a photo should know.

    Returns:
        A picture of mode L, RGB, RGBA or CMYK; by `space` its numbers are to be read.

    Raises:
        UnknownSamples: It is of a kind that is not read.
    """
    kind, bits = page.number(tiff.PHOTOMETRIC, 1), page.number(tiff.BITS, 1)
    samples, colours = _samples(page), len(MODES[kind])
    if samples.shape[2] < colours:
        raise UnknownSamples(what(page))
    light = spaces.bent(page.raw(tiff.PROFILE)) is not None
    shown = to_8_bits(samples[..., :colours], bits, note, light)
    if kind == 0:
        shown = 255 - shown
    if colours == 1 and samples.shape[2] == 1:
        return Image.fromarray(shown[..., 0])
    extra = page.number(tiff.EXTRA, 0)
    opaque = extra not in (ASSOCIATED, UNASSOCIATED) or samples.shape[2] == colours
    if opaque or colours == 4:
        data = np.ascontiguousarray(shown).tobytes()
        return Image.frombytes(MODES[kind], shown.shape[1::-1], data)
    alpha = to_8_bits(samples[..., colours], bits, lambda _: None)
    rgba = np.dstack([shown] * (3 // colours) + [alpha])
    mode = "RGBA" if extra == UNASSOCIATED else "RGBa"
    return Image.frombytes(mode, rgba.shape[1::-1], rgba.tobytes()).convert("RGBA")


def space(page: Page) -> Space:
    """What the numbers stand for that `read` gives."""
    icc = page.raw(tiff.PROFILE)
    return spaces.of_profile(spaces.bent(icc) or icc) if icc else spaces.SRGB


def _samples(page: Page) -> Samples:
    """The samples of a page, (height, width, samples of a pixel)."""
    bits, count = set(page.numbers(tiff.BITS)), page.number(tiff.SAMPLES, 1)
    form, packed = page.number(tiff.FORMAT, 1), page.number(tiff.COMPRESSION, 1)
    size = bits.pop() if bits else 1
    differences = page.number(tiff.PREDICTOR, 1) != 1
    if (
        bits
        or not 0 < count <= MOST_SAMPLES
        or packed not in PACKED
        or form not in TYPES
        or (form == tiff.FLOATS and size not in (16, 32, 64))
        or (
            size not in WHOLE_BYTES
            and (size > 24 or differences or form == tiff.SIGNED)
        )
    ):
        raise UnknownSamples(what(page))
    if count == 1 or page.number(tiff.PLANAR, 1) != 2:
        return _laid_out(page, count, slice(None))
    every = max(len(page.numbers(tiff.OFFSETS)), len(page.numbers(tiff.TILE_OFFSETS)))
    share = every // count
    planes = (slice(i * share, (i + 1) * share) for i in range(count))
    return np.dstack([_laid_out(page, 1, plane)[..., 0] for plane in planes])


def _laid_out(page: Page, count: int, share: slice) -> Samples:
    """The samples of some strips or tiles, of so many colours that lie together."""
    bits = page.number(tiff.BITS, 1)
    width, height = page.number(tiff.WIDTH, 0), page.number(tiff.HEIGHT, 0)
    try:
        content = tiff.in_bytes(page, -(-width * count * bits // 8), share)
    except ValueError as error:
        raise UnknownSamples(f"{what(page)}: {error}") from error
    rows = _rows(content)
    if bits not in WHOLE_BYTES:
        return _unpacked(rows, bits, width * count).reshape(height, width, count)
    kind = f"{TYPES[page.number(tiff.FORMAT, 1)]}{bits // 8}"
    order = page.layout.order
    predictor = page.number(tiff.PREDICTOR, 1)
    if predictor == 1:
        return rows.view(order + kind).reshape(height, width, count)
    samples = np.empty((height, width, count), kind)
    side = page.number(tiff.TILE_WIDTH, width)
    for left in range(0, width, max(side, 1)):
        part = rows[:, left * count * bits // 8 : (left + side) * count * bits // 8]
        if predictor == DIFFERENCES:
            steps = part.view(f"{order}u{bits // 8}").reshape(height, -1, count)
            summed = np.cumsum(steps, 1, dtype=f"u{bits // 8}").view(kind)
        else:
            summed = _floats(part, kind, count)
        samples[:, left : left + side] = summed
    return samples


class _Bytes(TiffImageFile):
    """A file of which each byte is a pixel; that there are not too many is known here."""

    def load_prepare(self) -> None:
        """Make room, without a look at Pillow's limit of pixels."""
        ImageFile.load_prepare(self)


def _rows(content: bytes) -> NDArray[np.uint8]:
    with _Bytes(BytesIO(content)) as image:
        return np.asarray(image)


def _floats(part: NDArray[np.uint8], kind: str, count: int) -> Samples:
    """Floats of a strip's or a tile's rows: first all their highest bytes, and so on."""
    height, size = len(part), int(kind[1:])
    flat = np.cumsum(part.reshape(height, -1, count), 1, dtype=np.uint8)
    split = flat.reshape(height, size, -1).transpose(0, 2, 1)
    floats: Samples = np.ascontiguousarray(split).view(f">{kind}")
    return floats.reshape(height, -1, count)


def _unpacked(rows: NDArray[np.uint8], bits: int, width: int) -> NDArray[np.uint32]:
    """Samples of an odd number of bits; each row begins with a new byte."""
    numbers = np.empty((len(rows), width), np.uint32)
    weights = 1 << np.arange(bits - 1, -1, -1, dtype=np.uint32)
    for row, number in zip(rows, numbers, strict=True):
        number[:] = np.unpackbits(row)[: width * bits].reshape(-1, bits) @ weights
    return numbers
