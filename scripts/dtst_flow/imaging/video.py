"""Read videos: one frame after another, each upright and in sRGB when it is asked for.

PyAV, which brings FFmpeg, is imported when a video is opened, as few datasets have one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dtst_flow.imaging import colour, hdr, spaces
from dtst_flow.imaging.decode import MAX_PIXELS, UnreadableImage, check_size

if TYPE_CHECKING:
    import av
    from av.video.reformatter import VideoReformatter

SUFFIXES = frozenset([".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".wmv"])
"""Suffixes of the files that count as videos (compared in lower case)."""

DEMUXERS = "mov,matroska,avi,flv,asf,mpeg,mpegts,ogg"
"""FFmpeg's readers that may open a file, whatever its name. No others may, as some of them
open other files and addresses that a file names."""

MISSING = "reading videos needs PyAV: pip install 'dtst-flow[video]', or pip install av"
"""What to say where it is not installed."""

SIDE = 256
"""Pixels of the longer side of the small grey picture by which frames are judged."""

HD = (1280, 577)
"""Width and height: a video of one of them or more that does not say how its colours are
coded has them as HDTV does, any other as SDTV does."""

UNTOLD = 2
"""H.273's number of what is not told."""

SHORT = 0.05
"""Share of its length that may lack at the end of a video without a word."""

BROKEN = "no video of a known type, or one whose beginning or index is missing"

PATIENCE = 100
"""Errors in a row after which nothing more of a video is read."""

UPRIGHT = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""The signs of a display matrix's upper left four numbers -> what turns a frame upright."""


def is_available() -> bool:
    """Tell whether videos can be read here."""
    return find_spec("av") is not None


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        time: Seconds since the beginning of the video, to the millisecond.
        number: Its number, from 0 on, by the video's mean rate.
        picture: As decoded.
        video: What it is of.
    """

    time: float
    number: int
    picture: av.VideoFrame
    video: Video

    def grey(self) -> NDArray[np.uint8]:
        """A small grey picture of it, not turned: (height, width) uint8."""
        width, height = self.picture.width, self.picture.height
        scale = min(1.0, SIDE / max(width, height))
        small = self.video.reformatter.reformat(
            self.picture,
            width=max(2, round(width * scale)),
            height=max(2, round(height * scale)),
            format="gray",
            threads=1,
        )
        return np.asarray(small.to_ndarray(), np.uint8)

    def pixels(self) -> NDArray[np.uint8]:
        """The frame as it is to be shown: (height, width, 3) uint8 RGB, upright, sRGB."""
        space = spaces.of_codes(self.picture.color_primaries, self.picture.color_trc)
        samples = self._samples(deep=space.hdr is not None)
        if space.hdr is not None:
            image = Image.fromarray(hdr.to_srgb(samples, space))
        else:
            image = colour.to_srgb(Image.fromarray(samples), space)
        if (turn := self._turn()) is not None:
            image = image.transpose(turn)
        return np.asarray(image.convert("RGB"))

    def _samples(self, deep: bool) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Its colours, of square pixels: (height, width, 3) RGB, deep ones of 16 bits."""
        from av.video.reformatter import Colorspace, Interpolation

        picture = self.picture
        large = picture.width >= HD[0] or picture.height >= HD[1]
        untold = picture.colorspace == UNTOLD
        exact = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        shown = picture.reformat(
            width=round(picture.width * self.video.stretch),
            format="rgb48le" if deep else "rgb24",
            src_colorspace=Colorspace.ITU709 if untold and large else None,
            interpolation=Interpolation.BICUBIC | exact,
        )
        return np.asarray(shown.to_ndarray())

    def _turn(self) -> Image.Transpose | None:
        """What turns it upright, by the video's display matrix."""
        matrix = self.picture.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return None
        a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
        return UPRIGHT.get(tuple(map(_sign, (a, b, c, d))))


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


@dataclass
class Video:
    """A video, read from its beginning to its end.

    Attributes:
        container: The open file.
        stream: Its picture.
        reformatter: What makes small pictures of frames.
        max_pixels: A frame of more is refused.
        beat: Is told of each frame how many pixels it has.
        faults: What of it could not be decoded until now.
        last: Seconds of the last frame until now.
    """

    container: av.container.InputContainer
    stream: av.VideoStream
    reformatter: VideoReformatter
    max_pixels: int
    beat: Callable[[int], object]
    faults: int = 0
    last: float = 0.0

    @property
    def stretch(self) -> float:
        """By how much its pixels are wider than high."""
        return float(self.stream.sample_aspect_ratio or 1)

    def frames(self, keyframes: bool = False) -> Iterator[Frame]:
        """Yield its frames in order; what cannot be decoded is left out and counted.

        Args:
            keyframes: Whether to decode those alone that are stored whole.

        Raises:
            UnreadableImage: There is none, or they have too many pixels.
        """
        if keyframes:
            self.stream.codec_context.skip_frame = "NONKEY"
        start = float((self.stream.start_time or 0) * self.stream.time_base)
        rate = float(self.stream.average_rate or self.stream.guessed_rate or 25)
        count = 0
        for picture in self._pictures():
            check_size(picture.width * picture.height, self.max_pixels)
            self.beat(picture.width * picture.height)
            untimed = picture.pts is None
            time = count / rate if untimed else max(0.0, picture.time - start)
            self.last, count = max(self.last, time), count + 1
            yield Frame(round(time, 3), round(time * rate), picture, self)
        if not count:
            raise UnreadableImage("cannot be decoded: it has no whole frame")

    def notes(self) -> list[str]:
        """What was amiss with it and was overcome, once all frames were read."""
        said = []
        if self.faults:
            said.append(
                f"it is damaged, {self.faults} parts could not be decoded; frames of the "
                "rest were taken"
            )
        length = (self.container.duration or 0) / 1e6
        if length - self.last > max(1.0, SHORT * length) and self._reads_all():
            said.append(
                f"it is cut short, it ends after {self.last:.1f} of {length:.1f} s"
            )
        return said

    def _reads_all(self) -> bool:
        """Whether its end was looked at; a keyframe may be long before that."""
        return self.stream.codec_context.skip_frame != "NONKEY"

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Yield what can be decoded, as FFmpeg gives it."""
        from av.error import FFmpegError

        in_a_row = 0
        while in_a_row < PATIENCE:
            before = self.faults
            try:
                for packet in self.container.demux(self.stream):
                    yield from self._decoded(packet)
                    in_a_row = 0
                return
            except FFmpegError:  # reading goes on behind what is broken
                self.faults += 1
            in_a_row += self.faults - before
        yield from self._decoded(None)

    def _decoded(self, packet: av.Packet | None) -> Iterator[av.VideoFrame]:
        """Yield the whole frames of a packet; without one, those that are still inside."""
        from av.error import FFmpegError

        try:
            pictures = self.stream.codec_context.decode(packet)
        except FFmpegError:
            self.faults += 1
            return
        for picture in pictures:
            if picture.is_corrupt:
                self.faults += 1
            else:
                yield picture


@contextmanager
def opened(
    file: IO[bytes],
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
    beat: Callable[[int], object] = lambda pixels: None,
) -> Iterator[Video]:
    """Open a video.

    Args:
        file: The file, which can be searched.
        max_pixels: A frame of more is refused.
        threads: How many may decode it.
        beat: Is told of each frame how many pixels it has.

    Raises:
        UnreadableImage: It is no video, or none that can be decoded.
    """
    import av
    from av.video.reformatter import VideoReformatter

    allowed = {"format_whitelist": DEMUXERS, "protocol_whitelist": ""}
    try:
        container = av.open(file, options=allowed)
    except (av.FFmpegError, ValueError) as error:
        # None, as its number is none of the system's, by which failures are told apart.
        raise UnreadableImage(f"cannot be decoded: {_reason(error)}") from None
    with container:
        stream = container.streams.best("video")
        if stream is None:
            sound = {one.type for one in container.streams} == {"audio"}
            why = "it has no picture, only sound" if sound else BROKEN
            raise UnreadableImage(f"cannot be decoded: {why}")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield Video(container, stream, VideoReformatter(), max_pixels, beat)


def _reason(error: Exception) -> str:
    import av

    if isinstance(error, (av.InvalidDataError, av.error.EOFError)):
        return BROKEN
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text if text.isprintable() and text else type(error).__name__
