"""Bring samples of more than 8 bits, signed ones and floats to 8 bits."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.imaging.spaces import linear_to_srgb

PIECE = 1 << 22
"""Samples that are scaled at once, as a large image would take gigabytes as floats."""

DEPTHS = (8, 10, 12)
"""Bits of which cameras' numbers may be that are stored as wider ones."""

MOST = 0.99
"""Share of floats from 0 to 1 from which on all are shares of white, the rest clipped."""

Samples = NDArray[Any]
Note = Callable[[str], None]


def to_8_bits(
    wide: Samples, bits: int, note: Note, light: bool = False
) -> NDArray[np.uint8]:
    """Scale samples to 8 bits.

    Whole numbers are scaled by their full range; by 8, 10 or 12 bits, where none needs
    more. Floats from 0 to 1 are shares of white. Others, and negative numbers, are scaled
    by the range of their values. What is no number becomes black.

    Args:
        wide: Samples of any shape.
        bits: How many of its bits a whole number uses.
        note: Is told what the reader of a photo should know.
        light: Whether samples stand for light itself; they become sRGB's then.

    Returns:
        uint8 of the same shape.
    """
    black, span = _range(wide, bits, note, light)
    if wide.dtype.kind in "iu" and wide.dtype.itemsize == 2:
        # Looked up, as that is many times faster than to compute each.
        every = np.arange(1 << 16, dtype=np.uint16)
        table = _scaled(every.view(wide.dtype.newbyteorder("=")), black, span, light)
        native = wide.astype(wide.dtype.newbyteorder("="), copy=False)
        found: NDArray[np.uint8] = table[native.view(np.uint16)]
        return found
    narrow = np.empty(wide.size, np.uint8)
    start = 0
    for values in _pieces(wide):
        narrow[start : start + values.size] = _scaled(values, black, span, light)
        start += values.size
    return narrow.reshape(wide.shape)


def _scaled(
    values: Samples, black: float, span: float, light: bool
) -> NDArray[np.uint8]:
    shares = np.clip((values - black) / span, 0, 1)
    shares = linear_to_srgb(shares) if light else shares
    return np.round(shares * 255).astype(np.uint8)


def _pieces(wide: Samples) -> Iterator[NDArray[np.float64]]:
    flat = wide.reshape(-1)
    for start in range(0, wide.size, PIECE):
        values = flat[start : start + PIECE].astype(np.float64)
        yield np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)


def _range(wide: Samples, bits: int, note: Note, light: bool) -> tuple[float, float]:
    """The value of black, and how far above it white is."""
    if wide.dtype.kind == "f":
        ends = [(values.min(), values.max()) for values in _pieces(wide)]
        lowest, highest = min(low for low, _ in ends), max(high for _, high in ends)
        return _range_of_floats(wide, lowest, highest, note)
    lowest, highest = float(wide.min()), float(wide.max())
    full = bits - (wide.dtype.kind == "i")
    if lowest < 0:
        note(
            "its samples are negative in part and were scaled by the range of their values"
        )
        return lowest, highest - lowest
    if bits in (16, 32) and not light:  # of light, pictures have little
        fitting = [depth for depth in DEPTHS if highest < 1 << depth]
        if fitting and highest > 0:
            note(f"of the {bits} bits of its samples only {fitting[0]} are used")
            return 0.0, 2.0 ** fitting[0] - 1
    if bits == 32 and highest < 1 << 16:
        return 0.0, 65535.0
    if bits >= 32 and highest < 2.0 ** (full - 1):
        note("its samples were scaled by the range of their values")
        return lowest, (highest - lowest) or 1.0
    return 0.0, 2.0**full - 1


def _range_of_floats(
    wide: Samples, lowest: float, highest: float, note: Note
) -> tuple[float, float]:
    if lowest >= 0 and highest <= 1:
        return 0.0, 1.0
    shares = sum(int(((v >= 0) & (v <= 1)).sum()) for v in _pieces(wide)) / wide.size
    if shares >= MOST or (lowest >= 0 and shares >= 0.5):
        note("some of its samples are darker than black or brighter than white")
        return 0.0, 1.0
    if lowest >= 0 and highest <= 255:
        return 0.0, 255.0
    note("its samples were scaled by the range of their values")
    return lowest, (highest - lowest) or 1.0
