"""How a process takes memory from the system, and when it gives it back."""

import ctypes
import sys
from contextlib import suppress

KEPT = 256 << 20
"""Bytes that stay with a process when they are free; a photo of 12 megapixels takes about
half as many while it is worked on."""

# Numbers of glibc's mallopt(3), from its malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8

LARGEST = 1 << 30, 32 << 20
"""Bytes of the largest block that may be kept; older glibc (before 2.35) takes no more than
the second."""


def keep_freed() -> None:
    """Keep what is freed for what comes next; to be called by who works on photos.

    By itself glibc gives every large block back at once, and the system makes it again,
    page by page. That is a third of the time it takes to decode a large photo. Other C
    libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        any(mallopt(MMAP_THRESHOLD, size) for size in LARGEST)
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(ARENA_MAX, 1)  # others than the first take large blocks elsewhere
