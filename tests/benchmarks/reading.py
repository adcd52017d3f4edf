"""How long photos take to read: a format and a kind of profile a row.

Reads photos of one size, of a smooth picture with noise, and prints a table as in
docs/photos.md; CPU milliseconds a megapixel, the least of several tries.

    python tests/benchmarks/reading.py [MEGAPIXELS]
"""

import struct
import sys
import time
import zlib
from collections.abc import Iterator
from io import BytesIO

import cv2
import numpy as np
import pillow_heif
import tifffile
from PIL import Image, ImageCms

from dtst_flow.imaging import decode, hdr, spaces
from dtst_flow.imaging.spaces import PRIMARIES, Coded

TRIES = 3


def picture(megapixels: float) -> Image.Image:
    """A smooth picture with noise, as photos have it."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    y, x = np.mgrid[:height, : height * 4 // 3]
    shades = np.dstack([np.sin(x / 90), np.cos(y / 70), np.sin((x + y) / 110)])
    noise = np.random.default_rng(0).normal(0, 4, shades.shape)
    return Image.fromarray(np.clip(128 + 100 * shades + noise, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as a file of a kind that Pillow writes."""
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def tiff(array: np.ndarray, **options: object) -> bytes:
    """An image as a TIFF of any samples."""
    content = BytesIO()
    tifffile.imwrite(content, array, photometric="rgb", **options)
    return content.getvalue()


def hdr_heic(image: Image.Image) -> bytes:
    """The picture as PQ, its white at 203 cd/m², in ten bits."""
    light = spaces.srgb_to_linear(np.asarray(image) / 255) * hdr.WHITE
    raw = np.round(hdr.to_pq(light) * 65535).astype(np.uint16)
    content = BytesIO()
    file = pillow_heif.from_bytes("RGB;16", image.size, raw.tobytes())
    codes = {"color_primaries": 9, "transfer_characteristics": 16}
    codes |= {"matrix_coefficients": 9, "full_range_flag": 1, "bit_depth": 10}
    file.save(content, format="HEIF", quality=85, **codes)
    return content.getvalue()


def files(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield what is read and its content."""
    p3 = spaces.profile(Coded(PRIMARIES[12]))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = Image.Exif()
    turned[0x0112] = 6
    plain = encoded(image, "JPEG")
    yield "JPEG", plain
    yield "JPEG, profile of sRGB", encoded(image, "JPEG", icc_profile=srgb)
    yield "JPEG, Display P3", encoded(image, "JPEG", icc_profile=p3)
    yield "JPEG, to be turned", encoded(image, "JPEG", exif=turned)
    yield "JPEG without its end", plain[:-2]
    yield "JPEG, CMYK without profile", encoded(image.convert("CMYK"), "JPEG")
    png = encoded(image, "PNG", compress_level=1)
    yield "PNG", png
    yield "PNG, Display P3 by cICP", _with_chunk(png)
    wide = np.asarray(image).astype(np.uint16) * 257
    yield "PNG, 16 bits", cv2.imencode(".png", wide[..., ::-1])[1].tobytes()
    yield "WebP", encoded(image, "WEBP", method=0)
    yield "AVIF", encoded(image, "AVIF", speed=10)
    yield "TIFF", encoded(image, "TIFF")
    yield "TIFF, 16 bits", tiff(wide)
    packed = tiff(wide, compression="zlib", predictor=True, rowsperstrip=64)
    yield "TIFF, 16 bits, deflate, differences", packed
    yield "TIFF, floats", tiff((np.asarray(image) / 255).astype(np.float32))
    yield "HEIC", encoded(image, "HEIF")
    yield "HEIC, Display P3", encoded(image, "HEIF", icc_profile=p3)
    yield "HEIC, HDR (PQ)", hdr_heic(image)


def _with_chunk(png: bytes) -> bytes:
    """A PNG that says by cICP that its primaries are P3's."""
    chunk = b"cICP\x0c\x0d\0\1"
    sum_ = struct.pack(">I", zlib.crc32(chunk))
    return png[:33] + struct.pack(">I", 4) + chunk + sum_ + png[33:]


def least(content: bytes) -> float:
    """CPU seconds of reading a file."""
    spent = []
    for _ in range(TRIES):
        start = time.process_time()
        decode.read(content)
        spent.append(time.process_time() - start)
    return min(spent)


def main(megapixels: float) -> None:
    """Print the table."""
    image = picture(megapixels)
    decode.read(encoded(image.resize((64, 48)), "PNG"))  # all modules are loaded
    print("| | ms a megapixel |\n|---|---:|")
    for name, content in files(image):
        print(f"| {name} | {least(content) * 1000 / megapixels:.1f} |", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 4)
