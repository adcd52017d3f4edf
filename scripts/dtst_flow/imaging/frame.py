"""A frame of a video: small and grey to be judged, or upright and in sRGB to be kept."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dtst_flow.imaging import colour, hdr, spaces

if TYPE_CHECKING:  # few datasets have a video
    import av
    from av.video.reformatter import VideoReformatter

SIDE = 256
"""Pixels of the longer side of the small grey picture by which frames are judged."""

HD = (1280, 577)
"""Width and height: a video of one of them or more that does not say how its colours are
coded has them as HDTV does, any other as SDTV does."""

UNTOLD = 2
"""H.273's number of what is not told."""

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


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        time: Seconds since the beginning of the video, to the millisecond.
        number: Its number, from 0 on, by the video's mean rate.
        picture: As decoded.
        grey: A small grey picture of it, not turned: (height, width) uint8.
        stretch: By how much its pixels are wider than high.
    """

    time: float
    number: int
    picture: av.VideoFrame
    grey: NDArray[np.uint8]
    stretch: float

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
            width=max(1, round(picture.width * self.stretch)),
            format="rgb48le" if deep else "rgb24",
            src_colorspace=Colorspace.ITU709 if untold and large else None,
            interpolation=Interpolation.BICUBIC | exact,
        )
        samples: Any = shown.to_ndarray()
        colours: NDArray[np.uint8] | NDArray[np.uint16] = samples
        return colours

    def _turn(self) -> Image.Transpose | None:
        """What turns it upright, by the video's display matrix."""
        matrix: Any = self.picture.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return None
        a, b, _, c, d = map(_sign, struct.unpack_from("=5i", memoryview(matrix)))
        return UPRIGHT.get((a, b, c, d))


def grey_of(picture: av.VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """Make the small grey picture of a frame.

    Args:
        picture: The frame.
        reformatter: What makes them, one for all frames of a video.

    Raises:
        av.FFmpegError: Its pixels are of a format that is none.
    """
    scale = min(1.0, SIDE / max(picture.width, picture.height))
    small = reformatter.reformat(
        picture,
        width=max(2, round(picture.width * scale)),
        height=max(2, round(picture.height * scale)),
        format="gray",
        threads=1,
    )
    return np.asarray(small.to_ndarray(), np.uint8)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
