"""Show HDR pictures (PQ, HLG) as a usual screen would: tone-mapped to sRGB.

Reference white, 203 cd/m² (ITU-R BT.2408), becomes white. Where a picture has brighter
lights, the curve of ITU-R BT.2390 (its EETF) makes room for them: what is darker than some
90 cd/m² stays as it is, highlights are compressed. It is applied to the largest of red,
green and blue, so that hues stay.
"""

import functools
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dtst_flow.imaging import spaces
from dtst_flow.imaging.spaces import HLG, PQ, Coded

WHITE = 203.0
"""cd/m² of what becomes white."""

HLG_PEAK = 1000.0
"""cd/m² of the screen that HLG is shown on."""

HLG_GAMMA = 1.2
"""The exponent of the whole way from scene to such a screen."""

MOST = 10000.0
"""cd/m² of the brightest light that there is in PQ."""

STEP = 4
"""Of every so many rows and columns one is looked at to find the brightest light."""

BRIGHTEST = 99.99
"""Per cent of the pixels that are at most as bright as what counts as the brightest."""

STRIP = 1 << 20
"""Pixels that are worked on at once."""

LEVELS = 1 << 14
"""Points of the curves that are looked up."""

Light = NDArray[np.float32]
"""(..., 3) linear red, green and blue, 1 being white."""


Level = TypeVar("Level", np.uint8, np.float32)


def to_srgb(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], space: Coded
) -> NDArray[np.uint8]:
    """Tone-map a picture.

    Args:
        pixels: (height, width, 3) uint8 or uint16 RGB, of the type's full range.
        space: What they stand for, PQ or HLG.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    levels = int(np.iinfo(pixels.dtype).max) + 1
    light_of = _light_of(levels, space.hdr)
    sample = _linear(pixels[::STEP, ::STEP], light_of, space)
    peak = float(np.percentile(_strongest(sample), BRIGHTEST))
    gain = _gain(peak)
    flat = pixels.reshape(-1, 3)
    result = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), STRIP):
        light = _linear(flat[start : start + STRIP], light_of, space)
        if peak > 1:
            share = _strongest(light) / np.float32(peak)
            light *= _looked_up(gain, np.sqrt(share))[:, None]
        result[start : start + STRIP] = _looked_up(_signal(), np.sqrt(light))
    return result.reshape(pixels.shape)


def _strongest(light: Light) -> Light:
    """The largest of red, green and blue; many times faster than numpy's own `max`."""
    return np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])


def _looked_up(curve: NDArray[Level], at: Light) -> NDArray[Level]:
    """The values of a curve at places from 0 to 1; beyond them, those of its ends."""
    index = np.clip(at, 0, 1) * np.float32(LEVELS - 1) + np.float32(0.5)
    return curve[index.astype(np.int32)]


@functools.cache
def _signal() -> NDArray[np.uint8]:
    """SRGB's 255 levels by the square root of the share of light."""
    light = np.linspace(0, 1, LEVELS) ** 2
    signal = spaces.linear_to_srgb(light)
    return np.round(signal * 255).astype(np.uint8)


def _light_of(levels: int, curve: int | None) -> Light:
    """The light of each level: of PQ 1 is white, of HLG the brightest in the scene."""
    signal = np.linspace(0, 1, levels)
    if curve == PQ:
        return (from_pq(signal) / WHITE).astype(np.float32)
    high = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(signal <= 0.5, signal**2 / 3, high).astype(np.float32)


def _linear(
    pixels: NDArray[np.unsignedinteger], light_of: Light, space: Coded
) -> Light:
    """The light of pixels, in sRGB's primaries."""
    light: Light = light_of[pixels]
    matrix = spaces.to_xyz(space.primaries)
    if space.hdr == HLG:
        # BT.2100's OOTF: by luminance, so that hues stay.
        luminance = light @ matrix[1].astype(np.float32)
        light *= (luminance ** np.float32(HLG_GAMMA - 1))[..., None]
        light *= np.float32(HLG_PEAK / WHITE)
    to_ours = np.linalg.inv(spaces.to_xyz(spaces.SRGB.primaries)) @ matrix
    light = np.maximum(light @ to_ours.T.astype(np.float32), 0)
    return light


def _gain(peak: float) -> Light:
    """By what to multiply, by the square root of the share of the peak.

    Args:
        peak: The brightest light, 1 being white.
    """
    share = np.linspace(0, 1, LEVELS) ** 2
    source = to_pq(np.minimum(peak * WHITE, MOST))
    wanted = to_pq(np.float64(WHITE)) / source
    knee = 1.5 * wanted - 0.5
    signal = to_pq(np.minimum(share * peak * WHITE, MOST)) / source
    t = np.clip((signal - knee) / (1 - knee), 0, 1) if knee < 1 else 0 * signal
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * wanted
    )
    shown = from_pq(np.where(signal < knee, signal, bent) * source) / WHITE
    gain = shown / np.maximum(share * peak, 1e-9)
    gain[0] = 1
    return np.minimum(gain, 1).astype(np.float32)


def to_pq(light: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """The PQ signal, 0 to 1, of light in cd/m² (SMPTE ST 2084)."""
    power = (np.asarray(light) / MOST) ** 0.1593017578125
    signal: NDArray[np.float64] = (0.8359375 + 18.8515625 * power) / (
        1 + 18.6875 * power
    )
    return signal**78.84375


def from_pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The light in cd/m² of a PQ signal, 0 to 1."""
    power = signal ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return MOST * light ** (1 / 0.1593017578125)
