"""Videos to try: small, written by PyAV, of frames that are given as arrays."""

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

Pixels = NDArray[np.uint8]

SIZE = (64, 48)

BT709, BT601, UNTOLD = 1, 6, 2
LIMITED, FULL = 1, 2

WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""H.273's number of a matrix -> the shares of red and blue in luma."""

UNTURNED = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def pattern(seed: int, size: tuple[int, int] = SIZE) -> Pixels:
    """A picture of soft blotches, another for each seed."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def write(
    path: Path,
    frames: Iterable[Pixels],
    rate: int = 10,
    gop: int = 5,
    codec: str = "",
    options: dict[str, str] | None = None,
    prepare: Callable[..., object] = lambda stream: None,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Write a video of some frames.

    Args:
        path: Its file; the suffix says what kind.
        frames: (height, width, 3) uint8 RGB each, or a frame of PyAV's.
        rate: Frames a second.
        gop: Frames from one that is stored whole to the next, at most.
        codec: FFmpeg's name of it; by default one that suits the kind.
        options: The codec's.
        prepare: Is given the stream before the first frame.
        muxer: Options of the kind of file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = codec or {".avi": "mpeg4", ".webm": "libvpx-vp9"}.get(
        path.suffix, "libx264"
    )
    with av.open(str(path), "w", options=muxer or {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.codec_context.gop_size = gop
        for number, frame in enumerate(frames):
            if isinstance(frame, np.ndarray):
                frame = av.VideoFrame.from_ndarray(frame, "rgb24")
            if not number:
                stream.width, stream.height = frame.width, frame.height
                name, context = frame.format.name, stream.codec_context
                stream.pix_fmt = "yuv420p" if name == "rgb24" else name
                context.colorspace = frame.colorspace if name != "rgb24" else BT601
                context.color_range = frame.color_range if name != "rgb24" else LIMITED
                prepare(stream)
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def plain(
    colour: tuple[float, float, float],
    matrix: int,
    told: bool = True,
    full: bool = False,
    size: tuple[int, int] = SIZE,
    bits: int = 8,
):
    """A frame of one colour, coded by a matrix that it tells or does not.

    Args:
        colour: Red, green and blue, 0 to 1.
        matrix: A key of WEIGHTS.
        told: Whether the frame says what matrix.
        full: Whether its levels use the full range.
        size: Width and height.
        bits: Of a sample, 8 or 10.
    """
    red, blue = WEIGHTS[matrix]
    luma = red * colour[0] + (1 - red - blue) * colour[1] + blue * colour[2]
    chroma = (colour[2] - luma) / (2 - 2 * blue), (colour[0] - luma) / (2 - 2 * red)
    low, high, wide = (0, 255, 255) if full else (16, 219, 224)
    levels = (low + high * luma, *(128 + wide * c for c in chroma))
    frame = av.VideoFrame(*size, "yuv420p" if bits == 8 else "yuv420p10le")
    for plane, level in zip(frame.planes, levels, strict=True):
        value = round(level * 2 ** (bits - 8)).to_bytes(1 if bits == 8 else 2, "little")
        plane.update(value * (plane.buffer_size // len(value)))
    frame.colorspace = matrix if told else UNTOLD
    frame.color_range = FULL if full else LIMITED
    return frame


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write into an MP4 how its frames are to be turned: a, b, c, d of its matrix."""
    a, b, c, d = (value * 0x10000 for value in matrix)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    content = path.read_bytes()
    head, found, rest = content.partition(b"tkhd")
    assert found and UNTURNED in rest
    path.write_bytes(head + found + rest.replace(UNTURNED, turned, 1))
    return path
