"""A perceptual hash: 64 bits of an image that hardly change when it is encoded anew.

The hash by discrete cosine transform of the library pHash (Zauner, "Implementation and
Benchmarking of Perceptual Image Hash Functions", 2010), in the form that the package
ImageHash gave it.
"""

import numpy as np
from PIL import Image

SIDE = 32
"""What an image is shrunk to, in pixels."""

SAMPLES = 256
"""From twice so many pixels a side on only every second counts, from thrice every third.

A large photo is hashed in a millisecond so, where to shrink all its pixels takes tens.
"""

ANGLES = np.outer(np.arange(8), np.arange(1, 2 * SIDE, 2)) * (np.pi / (2 * SIDE))

WAVES = np.rint(2**12 * np.cos(ANGLES)).astype(np.int64)
"""The eight slowest waves of the transform, (8, SIDE).

In whole numbers, so that every machine gives the same bits, and that a plain image is
exactly plain.
"""


def perceptual_hash(image: np.ndarray) -> int:
    """Hash an image by its coarse light and dark: is each wave stronger than the middle one?

    The number of bits in which two hashes differ tells how unlike the images are: none to
    a few for a smaller or compressed copy, about half of them for another photo.

    image  (height, width, 3) uint8 RGB

    Returns 64 bits, the first row and column of waves in the highest ones. Images of
    less than twice SAMPLES pixels a side get the hash of ``imagehash.phash``, save for
    waves that are as strong as the middle one.
    """
    height, width = image.shape[:2]
    few = image[:: max(1, height // SAMPLES), :: max(1, width // SAMPLES)]
    grey = Image.fromarray(few).convert("L")
    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.int64)
    strength = WAVES @ small @ WAVES.T
    bits = np.packbits(strength > np.median(strength))
    return int.from_bytes(bits.tobytes())
