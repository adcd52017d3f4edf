"""What reading an image takes of memory at most, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers import nasty_files
from helpers.dataset import environment

READ = """
import resource, sys, warnings
from dtst_flow.imaging import decode
warnings.simplefilter("ignore")
decode.read(open("small.png", "rb").read())  # all modules are loaded
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    result = decode.read(open(sys.argv[1], "rb").read()).shape
except decode.UnreadableImage as error:
    result = str(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, result)
"""

BESIDE = ("text bomb.png", "profile bomb.png")
"""Bombs that are not of pixels."""

WIDE = 64
"""The same for samples of 64 bits."""

BYTES = 24
"""That a pixel takes, at most, while an image is read: so config/README.md says."""


def read(path: Path, folder: Path) -> tuple[int, str]:
    """Megabytes that reading a file takes, and what came of it."""
    (folder / "small.png").write_bytes(nasty_files.good()["rgba.png"])
    command = [sys.executable, "-c", READ, str(path)]
    told = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    used, _, result = told.stdout.strip().partition(" ")
    return int(used), result


@pytest.mark.parametrize("name", nasty_files.bombs())
def test_bombs_take_little_memory(tmp_path, name, survived):
    survived["nasty files"] += 1
    (tmp_path / name).write_bytes(nasty_files.bombs()[name])
    used, result = read(tmp_path / name, tmp_path)
    refused = result.startswith("cannot be decoded: ")
    # What lies beside the pixels is left packed, and costs no photo.
    assert used < 50 and (refused or (result, name in BESIDE) == ("(32, 48, 3)", True))
    survived["nasty files right"] += 1


def test_the_bomb_of_900_megapixels(shared, tmp_path):
    bomb = shared / "data/nasty/bombs/bomb_30000x30000_1bit.png"
    used, result = read(bomb, tmp_path)
    assert "more than 178956970 pixels (--max-pixels)" in result and used < 50


@pytest.mark.parametrize("name", ["long.gif", "pages.tif", "turned 6.jpg"])
def test_one_picture_of_many_takes_the_memory_of_one(tmp_path, name):
    (tmp_path / name).write_bytes(nasty_files.good()[name])
    used, result = read(tmp_path / name, tmp_path)
    assert result == "(32, 48, 3)" and used < 10


@pytest.mark.parametrize("kind", ["P3", "PQ"])
def test_colours_take_no_more(tmp_path, kind):
    """Of a large photo; it is converted in strips, or by LittleCMS."""
    codes = {"P3": (12, 13), "PQ": (9, 16)}[kind]
    large = nasty_files.encode(Image.new("RGB", (4000, 3000), "gold"), "PNG")
    told = nasty_files.chunk(b"cICP", bytes([*codes, 0, 1]))
    (tmp_path / "large.png").write_bytes(large[:33] + told + large[33:])
    used, result = read(tmp_path / "large.png", tmp_path)
    assert result == "(3000, 4000, 3)" and used < BYTES * 12 + 10


@pytest.mark.parametrize("kind", ["u2", "f4", "f8"])
def test_wide_samples_take_no_more(tmp_path, kind):
    colours = np.full((3000, 4000, 3), 0.5 if kind[0] == "f" else 9000, kind)
    options = {"photometric": "rgb", "compression": "zlib", "rowsperstrip": 64}
    tifffile.imwrite(tmp_path / "large.tif", colours, **options)
    used, result = read(tmp_path / "large.tif", tmp_path)
    assert result == "(3000, 4000, 3)" and used < (WIDE if kind == "f8" else BYTES) * 12


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "1", "CMYK", "I;16", "F"])
def test_a_pixel_takes_so_many_bytes_at_most(tmp_path, mode):
    array = np.zeros((3000, 4000), {"I;16": np.uint16, "F": np.float32}.get(mode))
    wide = mode in ("I;16", "F")
    image = Image.fromarray(array) if wide else Image.new(mode, (4000, 3000))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "large.tif", compression="tiff_lzw", exif=exif)
    used, result = read(tmp_path / "large.tif", tmp_path)
    assert result == "(4000, 3000, 3)" and used < BYTES * 12 + 10
