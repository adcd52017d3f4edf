"""Damage images in every way there is and look whether the reader keeps its word.

Run as a process of its own, as a decoder may end the process it runs in:
``fuzz_images.py fuzz PLACE SEED EXAMPLES``; PLACE holds what was read last, also when the
process is ended. ``fuzz_images.py check FILE...`` takes files as they are.
"""

import signal
import sys
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dtst_flow.imaging import decode, spaces
from helpers import odd_tags
from helpers.nasty_files import bad, encode, good, picture

MAX_PIXELS = 1_000_000
MEGABYTES = 100
"""Of memory that one image may take."""

SECONDS = 20
"""That one image may take; it is killed by SIGALRM."""


def odd() -> dict[str, bytes]:
    """File name -> content with tags, samples and colours of which we read ourselves."""
    files = {
        f"turned.{kind}": content
        for kind, content in odd_tags.photos(6, ([],) * 5, "<").items()
    }
    wide = np.asarray(picture()).astype(np.uint16) * 257
    ways: dict[str, dict] = {
        "tiles": {"tile": (16, 16), "compression": "zlib", "predictor": True},
        "planes": {"planarconfig": "separate", "byteorder": ">"},
        "big": {"bigtiff": True, "compression": "zlib"},
    }
    for name, way in ways.items():
        content = BytesIO()
        colours = wide.transpose(2, 0, 1) if name == "planes" else wide
        tifffile.imwrite(content, colours, photometric="rgb", **way)
        files[f"{name}.tif"] = content.getvalue()
    p3 = spaces.profile(spaces.of_codes(12, 13))
    chunk = odd_tags.png_chunk(b"cICP", bytes([9, 16, 0, 1]))
    files["hdr.png"] = odd_tags.with_chunks(good()["rgb.png"], chunk)
    files["p3.jpg"] = encode(picture(), "JPEG", icc_profile=p3)
    return files


FILES = {n: c for n, c in (good() | bad() | odd()).items() if len(c) < 40_000}

share = st.floats(0, 1)
number = st.sampled_from(
    [0, 1, 2, 3, 7, 255, 4096, 32767, 65535, 1 << 31, (1 << 32) - 1]
)
edit = st.one_of(
    st.tuples(st.just("flip"), share, st.integers(0, 7)),
    st.tuples(st.just("set"), share, st.integers(0, 255)),
    st.tuples(st.just("number"), share, number, st.sampled_from([2, 3, 4, 8])),
    st.tuples(st.just("cut"), share, share),
    st.tuples(st.just("repeat"), share, st.integers(1, 300), st.integers(2, 50)),
    st.tuples(st.just("splice"), share, st.sampled_from(sorted(FILES)), share),
    st.tuples(st.just("end"), share),
)


def damaged(content: bytes, edits: list[tuple]) -> bytes:
    """A file with edits made to it, one after the other."""
    for kind, where, *values in edits:
        # Half of all places lie in the first few bytes: there the header is.
        span = min(len(content), 64) if where < 0.5 else len(content)
        at = int(where * 2 % 1 * span)
        content = EDITS[kind](content, at, *values)
    return content


def _flip(content: bytes, at: int, bit: int) -> bytes:
    byte = content[at : at + 1]
    return content[:at] + bytes(b ^ 1 << bit for b in byte) + content[at + 1 :]


def _set(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value]) + content[at + 1 :]


def _number(content: bytes, at: int, value: int, size: int) -> bytes:
    # In one byte order the number has its size, in the other it is huge.
    return content[:at] + value.to_bytes(8, "big")[-size:] + content[at + size :]


def _cut(content: bytes, at: int, share: float) -> bytes:
    return content[:at] + content[at + int(share * 100) :]


def _repeat(content: bytes, at: int, size: int, times: int) -> bytes:
    return content[:at] + content[at : at + size] * times + content[at + size :]


def _splice(content: bytes, at: int, other: str, where: float) -> bytes:
    return content[:at] + FILES[other][int(where * len(FILES[other])) :]


def _end(content: bytes, at: int) -> bytes:
    return content[:at]


EDITS = {
    "flip": _flip,
    "set": _set,
    "number": _number,
    "cut": _cut,
    "repeat": _repeat,
    "splice": _splice,
    "end": _end,
}


def check(content: bytes) -> None:
    """Read a file twice: twice the same picture or reason, in little time and memory."""
    signal.alarm(SECONDS)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM, the peak, begins anew
    first, second = _outcome(content), _outcome(content)
    signal.alarm(0)
    if isinstance(first, str):
        assert first == second and first.isprintable()
        assert first.startswith("cannot be decoded: ") and " at 0x" not in first
    else:
        assert first.dtype == np.uint8 and first.shape[2:] == (3,) and first.size
        assert first.size <= 3 * MAX_PIXELS
        assert np.array_equal(first, second)
    assert _memory("VmHWM") - before < MEGABYTES


def _memory(field: str) -> float:
    """Megabytes of memory that this process takes, or took, as Linux counts."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def _outcome(content: bytes) -> np.ndarray | str:
    try:
        decode.read(content, least=8, max_pixels=MAX_PIXELS)
        return decode.read(content, max_pixels=MAX_PIXELS)
    except decode.UnreadableImage as error:
        return str(error)


def fuzz(place: Path, number: int, examples: int) -> None:
    """Check damaged files, always the same for one number."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(sorted(FILES)), st.lists(edit, min_size=1, max_size=6))
    def try_one(name, edits):
        content = damaged(FILES[name], edits)
        place.write_bytes(content)
        check(content)

    try_one()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "fuzz":
        fuzz(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        for path in sys.argv[2:]:
            print(path, flush=True)
            check(Path(path).read_bytes())
