"""Which colours a file's numbers stand for, and ICC profiles of such spaces."""

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SRGB_PRIMARIES = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
D65 = (0.3127, 0.3290)
C = (0.310, 0.316)
DCI_WHITE = (0.314, 0.351)

PRIMARIES = {
    1: (*SRGB_PRIMARIES, *D65),
    4: (0.670, 0.330, 0.210, 0.710, 0.140, 0.080, *C),
    5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, *D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *DCI_WHITE),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65),
}
"""H.273's number of primaries -> x, y of red, green, blue and white."""

PQ, HLG = 16, 18
"""H.273's numbers of the curves of HDR."""

GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
"""H.273's number of a curve that is a plain power -> its exponent. All others, those of
video included, are shown as sRGB's."""

SAMPLES = 4096
"""Points of a curve in a profile that is written here."""

D50 = np.array([0.9642, 1.0, 0.8249])
"""The white of all ICC profiles, as XYZ."""

BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True)
class Coded:
    """A space of colours that is told by numbers.

    Attributes:
        primaries: x, y of red, green, blue and white.
        gamma: The exponent of the curve, None for sRGB's curve.
        hdr: PQ or HLG, None for colours as screens show them.
    """

    primaries: tuple[float, ...] = PRIMARIES[1]
    gamma: float | None = None
    hdr: int | None = None


Space = Coded | bytes
"""A space of colours, told by numbers or by an ICC profile."""

SRGB = Coded()


def of_codes(primaries: int, transfer: int) -> Coded:
    """A space by H.273's numbers; what is not told, or no colour space, is sRGB's."""
    return Coded(
        PRIMARIES.get(primaries, PRIMARIES[1]),
        GAMMAS.get(transfer),
        transfer if transfer in (PQ, HLG) else None,
    )


def of_profile(icc: bytes) -> Space:
    """The space of an ICC profile; told by its numbers where it is an HDR one."""
    codes = _tag(icc, b"cicp")
    if codes[:4] == b"cicp" and len(codes) >= 12 and codes[9] in (PQ, HLG):
        return of_codes(codes[8], codes[9])
    return icc


def bent(icc: bytes) -> bytes | None:
    """The profile with sRGB's curve, if its own are straight lines; None if they are not.

    Numbers that stand for light itself need the curve before they are cut to 8 bits.
    """
    curves = [place for name, place in _tags(icc) if name in CURVES]
    if not curves or not all(_content(icc, place) in STRAIGHT for place in curves):
        return None
    curve, data = _curve(None), bytearray(icc.ljust(len(icc) + -len(icc) % 4, b"\0"))
    for place in curves:
        struct.pack_into(">II", data, place + 4, len(data), len(curve))
    struct.pack_into(">I", data, 0, len(data) + len(curve))
    return bytes(data) + curve


CURVES = (b"rTRC", b"gTRC", b"bTRC", b"kTRC")

STRAIGHT = (
    b"curv" + bytes(8),
    b"curv" + bytes(4) + b"\0\0\0\1\1\0",
    b"para" + bytes(4) + b"\0\0\0\0\0\1\0\0",
)
"""Tags of curves that are straight lines."""


def _tags(icc: bytes) -> Iterator[tuple[bytes, int]]:
    """The names of the tags of an ICC profile, and where it says where they are."""
    count = int.from_bytes(icc[128:132])
    for place in range(132, min(132 + 12 * count, len(icc) - 11), 12):
        yield icc[place : place + 4], place


def _content(icc: bytes, place: int) -> bytes:
    start, size = struct.unpack_from(">II", icc, place + 4)
    return icc[start : start + size]


def _tag(icc: bytes, wanted: bytes) -> bytes:
    """A tag of an ICC profile, b"" if it is not there."""
    places = (place for name, place in _tags(icc) if name == wanted)
    return next((_content(icc, place) for place in places), b"")


def to_xyz(primaries: tuple[float, ...]) -> NDArray[np.float64]:
    """The matrix, (3, 3), from linear red, green and blue to XYZ under D50.

    Raises:
        ValueError: There can be no such primaries.
    """
    x, y = np.array(primaries).reshape(4, 2).T
    if (y <= 0).any():
        raise ValueError("primaries without light")
    colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    try:
        shares = np.linalg.solve(colours[:, :3], colours[:, 3])
    except np.linalg.LinAlgError as error:
        raise ValueError("primaries on one line") from error
    cones = (BRADFORD @ D50) / (BRADFORD @ colours[:, 3])
    adapt = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD
    matrix: NDArray[np.float64] = adapt @ colours[:, :3] * shares
    return matrix


def linear_to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value from 0 to 1 that stands for a share of light."""
    high = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, high)


def srgb_to_linear(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of light of values from 0 to 1."""
    low = values / 12.92
    return np.where(values <= 0.04045, low, ((values + 0.055) / 1.055) ** 2.4)


@functools.lru_cache(16)
def profile(space: Coded) -> bytes:
    """Write the ICC profile of a space that is not HDR.

    Raises:
        ValueError: There can be no such space.
    """
    curve = _curve(space.gamma)
    matrix = to_xyz(space.primaries)
    tags = {b"desc": _description(), b"wtpt": _xyz(D50)}
    tags |= {f"{c}XYZ".encode(): _xyz(matrix[:, i]) for i, c in enumerate("rgb")}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        at = 128 + 4 + 12 * len(tags) + len(data)
        table += struct.pack(">4sII", name, at, len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI", 128 + len(table + data), b"lcms", 0x02400000)
    head += b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return head.ljust(128, b"\0") + table + data


def _curve(gamma: float | None) -> bytes:
    """The tag of a curve: a plain power, or sRGB's."""
    signal = np.linspace(0, 1, SAMPLES)
    light = srgb_to_linear(signal) if gamma is None else signal**gamma
    points = np.round(light * 65535).astype(">u2").tobytes()
    return struct.pack(">4sxxxxI", b"curv", SAMPLES) + points


def _xyz(values: NDArray[np.float64]) -> bytes:
    if not (np.abs(values) < 32767).all():
        raise ValueError("primaries that are no colours")
    return b"XYZ \0\0\0\0" + np.round(values * 65536).astype(">i4").tobytes()


def _description() -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78)
