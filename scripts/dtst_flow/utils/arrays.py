"""Arrays in JSON."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_vector(vector: NDArray[np.floating[Any]]) -> str:
    """Write a vector as base64 of its numbers, each as a little-endian float32."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def decode_vector(text: str) -> NDArray[np.float32]:
    """Read the vector that `encode_vector` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f4")
