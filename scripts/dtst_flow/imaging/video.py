"""Read videos: one frame after another, each upright and in sRGB when it is asked for.

PyAV, which brings FFmpeg, is imported when a video is opened, as few datasets have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

from dtst_flow.imaging.decode import MAX_PIXELS, UnreadableImage, check_size
from dtst_flow.imaging.frame import Frame, grey_of

if TYPE_CHECKING:
    import av
    import numpy as np
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

DEMUXERS = "mov,matroska,avi,flv,asf,mpeg,mpegts,ogg"
"""FFmpeg's readers that may open a file, whatever its name. No others may, as some of them
open other files and addresses that a file names."""

MISSING = "reading videos needs PyAV: pip install av"
"""What to say where it is not installed."""

WIDEST = 10.0
"""By how much pixels are wider than high, or higher than wide, at most."""

SHORT = 0.05
"""Share of its length that may lack at the end of a video without a word."""

BROKEN = "no video of a known type, or one whose beginning or index is missing"

PATIENCE = 1000
"""Errors of reading after which nothing more of a video is read."""


def is_available() -> bool:
    """Tell whether videos can be read here."""
    return find_spec("av") is not None


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
        last: Seconds from its beginning to where it was read.
    """

    container: InputContainer
    stream: VideoStream
    reformatter: VideoReformatter
    max_pixels: int
    beat: Callable[[int], object]
    faults: int = 0
    last: float = 0.0

    def frames(self, keyframes: bool = False) -> Iterator[Frame]:
        """Yield its frames in order; what cannot be decoded is left out and counted.

        Args:
            keyframes: Whether to decode those alone that are stored whole.

        Raises:
            UnreadableImage: There is none, or they have too many pixels.
        """
        if keyframes:
            self.stream.codec_context.skip_frame = "NONKEY"
        stretch = float(self.stream.sample_aspect_ratio or 1)
        if not 1 / WIDEST <= stretch <= WIDEST:
            stretch = 1.0
        rate = float(self.stream.average_rate or self.stream.guessed_rate or 25)
        count = 0
        for picture, grey in self._judged():
            shown = round(picture.width * max(1, stretch)) * picture.height
            check_size(shown, self.max_pixels)
            self.beat(shown)
            untimed = picture.pts is None
            time = count / rate if untimed else self._since_start(picture)
            count += 1
            yield Frame(round(time, 3), round(time * rate), picture, grey, stretch)
        if not count:
            raise UnreadableImage("cannot be decoded: it has no whole frame")

    def notes(self) -> list[str]:
        """What was amiss with it and was overcome, once all frames were read."""
        said = []
        if self.faults:
            said.append(
                f"it is damaged: {self.faults} of its parts could not be decoded, frames of "
                "the rest were taken"
            )
        length = (self.container.duration or 0) / 1e6
        if length - self.last > max(1.0, SHORT * length):
            said.append(
                f"it is cut short, it ends after {self.last:.1f} of {length:.1f} s"
            )
        return said

    def _since_start(self, part: av.VideoFrame | av.Packet[Any]) -> float:
        """Seconds of a frame or packet since the beginning; 0 where it tells none."""
        if part.pts is None or not part.time_base:
            return 0.0
        start = (self.stream.start_time or 0) * (self.stream.time_base or 0)
        return max(0.0, float(part.pts * part.time_base - start))

    def _judged(self) -> Iterator[tuple[av.VideoFrame, NDArray[np.uint8]]]:
        """Yield what can be decoded, each with its small grey picture."""
        from av.error import FFmpegError

        for picture in self._pictures():
            try:
                grey = grey_of(picture, self.reformatter)
            except FFmpegError:
                self.faults += 1
            else:
                yield picture, grey

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Yield what can be decoded, as FFmpeg gives it."""
        from av.error import FFmpegError

        for _ in range(PATIENCE):
            try:
                for packet in self.container.demux(self.stream):
                    self.last = max(self.last, self._since_start(packet))
                    yield from self._decoded(packet)
                return
            except FFmpegError:  # reading goes on behind what is broken
                self.faults += 1
        yield from self._decoded(None)

    def _decoded(self, packet: av.Packet[Any] | None) -> Iterator[av.VideoFrame]:
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
    from av.video.stream import VideoStream

    allowed = {"format_whitelist": DEMUXERS, "protocol_whitelist": ""}
    try:
        container = av.open(file, "r", options=allowed)
    except (av.FFmpegError, ValueError):
        # None, as its number is none of the system's, by which failures are told apart.
        raise UnreadableImage(f"cannot be decoded: {BROKEN}") from None
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or not stream.codec_context:
            sound = {one.type for one in container.streams} == {"audio"}
            why = "it has no picture, only sound" if sound else BROKEN
            raise UnreadableImage(f"cannot be decoded: {why}")
        codec = stream.codec_context
        check_size(codec.width * codec.height, max_pixels)
        stream.thread_type = "AUTO"
        codec.thread_count = threads
        yield Video(container, stream, VideoReformatter(), max_pixels, beat)
