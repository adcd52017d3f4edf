"""Arrays in JSON, in files, and as networks take them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.utils.files import open_regular


def encode_vector(vector: NDArray[np.floating[Any]]) -> str:
    """Write a vector as base64 of its numbers, each as a little-endian float32."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def decode_vector(text: str) -> NDArray[np.float32]:
    """Read the vector that `encode_vector` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f4")


def load(path: str | Path) -> NDArray[Any]:
    """Read an array of numbers from an .npy file. Raises as `open_regular` and NumPy."""
    with open_regular(path) as file:
        array: NDArray[Any] = np.load(file)
        return array


def planes(
    pixels: NDArray[np.uint8], order: tuple[int, int, int] = (0, 1, 2)
) -> NDArray[np.float32]:
    """Bring pixels to what a network takes, (1, 3, height, width).

    Args:
        pixels: (height, width, 3).
        order: The channel that comes first, second and third.
    """
    import cv2

    values = np.empty((1, 3, *pixels.shape[:2]), np.float32)
    channels = cv2.split(pixels)
    for place, channel in zip(values[0], order, strict=True):
        place[:] = channels[channel]
    return values
