"""Nasty files, made here, and what became of files in a dataset."""

import json
import os
import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.scan import LINKED
from dtst_flow.utils.tables import read_table

register_heif_opener()

STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> how a camera that writes it has turned the upright picture."""

ODD = struct.pack(
    "<4sIHHHIHHHHIII", b"II*\0", 8, 2, 0x0112, 3, 1, 6, 0, 0x011A, 2, 3, 0, 0
)
"""EXIF of a photo that is turned, with a resolution that is a text."""

SIZE = WIDTH, HEIGHT = 48, 32

NAMES = [
    " leading and trailing ",
    "new\nline",
    "tab\there",
    "bell\x07 and escape\x1b[31m",
    "quote'single",
    'quote"double',
    "-dash",
    "--help",
    "$HOME",
    "`id`",
    "semi;colon&amp",
    "percent%20%s%(path)s",
    "hash#tag?",
    "glob[1]*",
    "{wildcard}",
    "{{double}}",
    "back\\slash",
    "colon:name",
    "comma,name",
    "dots..in...name.",
    "caf\u00e9",
    "cafe\u0301",
    "\u65e5\u672c\u8a9e",
    "\u05e9\u05dc\u05d5\u05dd",
    "\U0001f600",
    "\u202ertl override",
    "line\u2028break",
    os.fsdecode(b"latin1_\xe9"),
    "IMG_1",
    "img_1",
    "x" * 246,
    "a/collide",
    "b/collide",
    "with space/collide",
    "{b}/collide",
]


def picture() -> Image.Image:
    """A smooth picture that no turn or mirror brings onto itself."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    red, green = 255 * x / (WIDTH - 1), 255 * y / (HEIGHT - 1)
    blue = np.where((x < WIDTH / 2) & (y < HEIGHT / 2), 200, 60)
    return Image.fromarray(np.dstack([red, green, blue]).astype(np.uint8))


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """An image as a file of a kind that Pillow knows."""
    content = BytesIO()
    # Of copies: an image keeps settings of the encoder that wrote it last.
    more = [frame.copy() for frame in options.pop("append_images", ())]
    image.copy().save(content, kind, append_images=more, **options)
    return content.getvalue()


@cache
def good() -> dict[str, bytes]:
    """File name -> content, each a way to store the picture."""
    shown = picture()
    wide = np.asarray(shown.convert("L"))
    clear = shown.copy()
    clear.putalpha(255)
    frames = {"save_all": True, "append_images": [Image.new("RGB", SIZE, "red")] * 2}
    many = [Image.new("RGB", SIZE, (i % 256, 0, 0)) for i in range(500)]
    files = {
        "rgb.jpg": encode(shown, "JPEG", quality=95),
        "grey.jpg": encode(shown.convert("L"), "JPEG", quality=95),
        "cmyk.jpg": encode(shown.convert("CMYK"), "JPEG", quality=95),
        "progressive.jpe": encode(shown, "JPEG", quality=95, progressive=True),
        "two.mpo": encode(shown, "MPO", quality=95, **frames),
        "rgb.png": encode(shown, "PNG"),
        "rgba.png": encode(clear, "PNG"),
        "grey alpha.png": encode(clear.convert("LA"), "PNG"),
        "bits.png": encode(shown.convert("1"), "PNG"),
        "palette.png": encode(shown.convert("P"), "PNG"),
        "palette clear.png": encode(shown.quantize(255), "PNG", transparency=255),
        "wide.png": encode(Image.fromarray(wide.astype(np.uint16) * 257), "PNG"),
        "animated.png": encode(shown, "PNG", **frames),
        "wide.tif": encode(Image.fromarray(wide.astype(">u2") * 257), "TIFF"),
        "float.tiff": encode(Image.fromarray(wide / np.float32(255)), "TIFF"),
        "lzw.tif": encode(shown, "TIFF", compression="tiff_lzw"),
        "pages.tif": encode(shown, "TIFF", **frames),
        "rgb.bmp": encode(shown, "BMP"),
        "rgb.gif": encode(shown, "GIF"),
        "animated.gif": encode(shown, "GIF", **frames),
        "long.gif": encode(shown, "GIF", save_all=True, append_images=many),
        "lossy.webp": encode(shown, "WEBP", quality=95),
        "lossless.webp": encode(clear, "WEBP", lossless=True),
        "animated.webp": encode(shown, "WEBP", quality=95, **frames),
        "rgb.avif": encode(shown, "AVIF", quality=95),
        "rgb.heic": encode(shown, "HEIF", quality=95),
        "rgba.hif": encode(clear, "HEIF", quality=95),
        "icon.ico": encode(shown, "ICO", sizes=[SIZE]),
    }
    for orientation, turn in STORED.items():
        tags = Image.Exif()
        tags[0x0112] = orientation
        tags[0x9286] = bytes(60_000)  # a comment that fills what a JPEG has room for
        files[f"turned {orientation}.jpg"] = encode(
            shown.transpose(turn), "JPEG", quality=95, exif=tags
        )
    return files | {
        "without end.jpg": files["rgb.jpg"][:-2],
        "12 of 16 bits.png": encode(
            Image.fromarray(wide.astype(np.uint16) << 4), "PNG"
        ),
        "white is zero.tif": encode(
            Image.fromarray(65535 - wide.astype(np.uint16) * 257),
            "TIFF",
            tiffinfo={262: 0},
        ),
        "odd resolution.jpg": encode(
            shown.transpose(STORED[6]), "JPEG", quality=95, exif=b"Exif\0\0" + ODD
        ),
        "broken profile.png": encode(shown, "PNG", icc_profile=b"none"),
        "png named.jpg": files["rgb.png"],
        "jpeg named.png": files["rgb.jpg"],
        "UPPER.JPEG": files["rgb.jpg"],
        "garbage behind.jpg": files["rgb.jpg"] + bytes(range(256)) * 9,
    }


def bad() -> dict[str, bytes]:
    """File name -> content of which no picture can be made."""
    broken = {
        "empty.jpg": b"",
        "text.jpg": b"no image\n",
        "page.png": b"<!doctype html><title>404</title>",
        "header.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        "random.jpg": np.random.default_rng(0).bytes(5000),
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "wrong sum.png": good()["rgb.png"].replace(b"IDAT", b"IDAT\0", 1),
        "half\nof\x1b[2J\u202eit.jpg": good()["rgb.jpg"][:700],
    }
    cut = (
        "rgb.png",
        "lossy.webp",
        "rgb.bmp",
        "lzw.tif",
        "rgb.gif",
        "rgb.avif",
        "rgb.heic",
    )
    kinds = {name: good()[name] for name in cut}
    return broken | {f"half {name}": c[: len(c) // 2] for name, c in kinds.items()}


HEADERS = {
    "rgb.jpg": (b"\xff\xc0\0\x11\x08", ">HH"),
    "progressive.jpe": (b"\xff\xc2\0\x11\x08", ">HH"),
    "rgb.gif": (b"GIF87a", "<HH"),
    "rgb.bmp": (struct.pack("<I", 40), "<II"),
    "lossy.webp": (b"\x9d\x01\x2a", "<HH"),
    "rgb.avif": (b"ispe\0\0\0\0", ">II"),
    "rgb.heic": (b"ispe\0\0\0\0", ">II"),
}
"""File -> the bytes before the size in its header, how the size is laid out."""


@cache
def bombs() -> dict[str, bytes]:
    """File name -> content that is small and would take gigabytes of memory."""
    start = good()["rgb.png"][:33]
    huge = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    nothing = chunk(b"IDAT", deflated_zeros(30_000 * 3751)) + chunk(b"IEND", b"")
    text = chunk(b"zTXt", b"bomb\0\0" + deflated_zeros(100_000_000))
    profile = chunk(b"iCCP", b"bomb\0\0" + deflated_zeros(100_000_000))
    return {
        "bomb.png": start[:8] + chunk(b"IHDR", huge) + nothing,
        "text bomb.png": start + text + good()["rgb.png"][33:],
        "profile bomb.png": start + profile + good()["rgb.png"][33:],
    } | {
        f"enlarged {name}": _enlarged(good()[name], before, layout)
        for name, (before, layout) in HEADERS.items()
    }


def scans(side: int, count: int) -> bytes:
    """A square grey JPEG that takes long: its last scan comes so many times.

    Each scan of some bytes makes a decoder go through all of the picture.
    """
    grey = encode(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    start, end = grey.rindex(b"\xff\xda"), grey.rindex(b"\xff\xd9")
    return grey[:start] + grey[start:end] * count + grey[end:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    ends = (
        struct.pack(">I", len(content)),
        struct.pack(">I", zlib.crc32(kind + content)),
    )
    return ends[0] + kind + content + ends[1]


def deflated_zeros(count: int) -> bytes:
    packer, million = zlib.compressobj(), bytes(1_000_000)
    packed = [packer.compress(million) for _ in range(count // 1_000_000)]
    return b"".join(
        [*packed, packer.compress(bytes(count % 1_000_000)), packer.flush()]
    )


def _enlarged(content: bytes, before: bytes, layout: str) -> bytes:
    """A file whose header says 30,000 x 30,000, in that layout behind some bytes."""
    start = content.index(before) + len(before)
    size = struct.pack(layout, *[30_000] * layout.count(layout[-1]))
    return content[:start] + size + content[start + len(size) :]


def other(folder: Path, shown: bytes) -> None:
    """What is no image of the bucket, made below a folder; `PASSED_OVER` lists it."""
    (folder / "no suffix").write_bytes(shown)
    (folder / "notes.txt").write_bytes(b"notes")
    (folder / "directory.jpg").mkdir()
    (folder / "directory.jpg/inner.txt").write_bytes(b"text")
    (folder / "broken link.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "folder loop").symlink_to(".")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "stray.json").write_bytes(b"{}")
    (folder / ".hidden.jpg").write_bytes(shown)
    (folder / ".hidden").mkdir()
    (folder / ".hidden/inside.jpg").write_bytes(shown)


PASSED_OVER = {
    "no suffix": "not an image type (no suffix)",
    "notes.txt": "not an image type (.txt)",
    "directory.jpg/inner.txt": "not an image type (.txt)",
    "broken link.jpg": "cannot be opened: No such file or directory",
    "loop.jpg": "cannot be opened: Too many levels of symbolic links",
    "pipe.jpg": "not a regular file",
    "stray.json": "a .json file that belongs to no image here",
    "folder loop": LINKED,
}
"""File -> why it is passed over."""


@cache
def fates(folder: Path, bucket: str, tables: str) -> dict[str, dict[str, str]]:
    """Fate -> path -> reason, as a stage's tables have them."""
    state = folder / ".dtst/buckets" / bucket
    done = [row for path in state.glob(f"{tables}/*.jsonl") for row in read_table(path)]
    failed = read_table(state / "failed.jsonl")
    skipped = read_table(state / "inventory/skipped.table")
    return {
        "done": {row["path"]: "" for row in done},
        "failed": {row["path"]: row["reason"] for row in failed},
        "passed over": {row["path"]: row["reason"] for row in skipped},
    }


@cache
def crops(bucket: Path) -> dict[str, list[Path]]:
    """Image -> the crops in a bucket that say they are cut out of it."""
    cut: dict[str, list[Path]] = {}
    for name in os.listdir(bucket):
        if not name.endswith(".json"):
            told = sidecars.read(bucket / name)["provenance"]
            cut.setdefault(told["image"], []).append(bucket / name)
    return cut


@cache
def members(bucket: Path) -> list[str]:
    """The images that a bucket's clusters.json speaks of."""
    found = json.loads((bucket / "clusters.json").read_bytes())
    groups = [found["noise"], *(cluster["members"] for cluster in found["clusters"])]
    return [member["path"] for group in groups for member in group]


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    """The same picture, whatever its size, in its colours or in grey."""
    assert (found.shape[0] > found.shape[1]) == (expected.shape[0] > expected.shape[1])
    mode = "L" if (np.ptp(found, axis=2) == 0).all() else "RGB"
    small = [
        np.ravel(Image.fromarray(image).convert(mode).resize((12, 12)))
        for image in (found, expected)
    ]
    assert np.corrcoef(*small)[0, 1] > 0.9
