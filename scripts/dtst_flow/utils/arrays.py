"""Arrays in JSON, and in files."""

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
