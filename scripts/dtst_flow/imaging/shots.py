"""Choose frames of a video: which are worth being an image of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.imaging.frame import Frame
from dtst_flow.imaging.perceptual_hash import perceptual_hash
from dtst_flow.imaging.video import Video

NEAR = 0.25
"""How far from its time a frame may be, as a share of the interval: the sharpest there is
taken."""

CUT = 0.10
"""By how much more of the full range than before the mean grey value changes from one frame
to the next where a new scene begins, as in FFmpeg's filter scdet."""


@dataclass(frozen=True)
class Choice:
    """Which frames to take.

    Attributes:
        keyframes: Of the frames that are stored whole, one after so many seconds at least.
        every: Instead, one every so many seconds, the sharpest near it.
        scenes: Instead, or for each scene by itself: the sharpest of each.
        min_difference: In how many of 64 bits its perceptual hash has to differ from those
            of all frames taken before.
    """

    keyframes: float = 10.0
    every: float | None = None
    scenes: bool = False
    min_difference: int = 4

    @property
    def is_of_keyframes(self) -> bool:
        """Whether no other frames count."""
        return self.every is None and not self.scenes

    def depends(self) -> dict[str, Any]:
        """The settings on which it depends which frames are taken."""
        names = ("keyframes",) if self.is_of_keyframes else ("every", "scenes")
        return {name: getattr(self, name) for name in (*names, "min_difference")}


@dataclass(frozen=True)
class Shot:
    """A frame that was chosen.

    Attributes:
        time: Seconds since the beginning of the video.
        number: Its number.
        pixels: (height, width, 3) uint8 RGB; None where an earlier one is as good as this.
    """

    time: float
    number: int
    pixels: NDArray[np.uint8] | None


def choose(video: Video, choice: Choice) -> Iterator[Shot]:
    """Yield the frames of a video to take, and those that are near-duplicates.

    At any time one frame is held, however long the video.

    Raises:
        UnreadableImage: The video has no frame that can be decoded.
    """
    taken: list[int] = []
    of_keyframes = choice.is_of_keyframes
    frames = video.frames(of_keyframes)
    for frame in (
        _apart(frames, choice.keyframes) if of_keyframes else _best(frames, choice)
    ):
        pixels = frame.pixels()
        look = perceptual_hash(pixels)
        far = all(
            (look ^ other).bit_count() >= choice.min_difference for other in taken
        )
        if far:
            taken.append(look)
        yield Shot(frame.time, frame.number, pixels if far else None)


def _apart(frames: Iterator[Frame], seconds: float) -> Iterator[Frame]:
    """Yield frames that are so many seconds apart at least."""
    last = -seconds
    for frame in frames:
        if frame.time - last >= seconds:
            last = frame.time
            yield frame


def _best(frames: Iterator[Frame], choice: Choice) -> Iterator[Frame]:
    """Yield the sharpest frame of each place, as `_places` has them."""
    held: Frame | None = None
    where, sharpest = None, -1.0
    for frame, grey, place in _places(frames, choice):
        if place != where:
            if held is not None:
                yield held
            held, where, sharpest = None, place, -1.0
        if place is not None and (found := _sharpness(grey)) > sharpest:
            held, sharpest = frame, found
    if held is not None:
        yield held


def _places(
    frames: Iterator[Frame], choice: Choice
) -> Iterator[tuple[Frame, NDArray[np.uint8], tuple[int, int] | None]]:
    """Yield each frame with its grey picture and the scene and interval that it is near to.

    Those of no interval have None.
    """
    cuts = _Cuts()
    begin = 0.0
    for frame in frames:
        grey = frame.grey
        if choice.scenes and cuts.is_cut(grey):
            begin = frame.time
        if choice.every is None:
            yield frame, grey, (cuts.count, 0)
            continue
        since = frame.time - begin
        tick = round(since / choice.every)
        near = abs(since - tick * choice.every) <= NEAR * choice.every
        yield frame, grey, (cuts.count, tick) if near else None


class _Cuts:
    """Tells where scenes begin.

    Attributes:
        count: Scenes that have begun besides the first.
    """

    def __init__(self) -> None:
        self.count = 0
        self._grey: NDArray[np.int16] | None = None
        self._change = 0.0

    def is_cut(self, grey: NDArray[np.uint8]) -> bool:
        """Tell whether a scene begins with the next frame, by its grey picture."""
        before, self._grey = self._grey, grey.astype(np.int16)
        if before is None or before.shape != grey.shape:
            return False
        change = float(np.abs(self._grey - before).mean()) / 255
        jump = min(change, abs(change - self._change))
        self._change = change
        self.count += jump >= CUT
        return jump >= CUT


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """The detail in a grey picture: the variance of its Laplacian."""
    import cv2

    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)
