"""Arrays in JSON."""

import base64

import numpy as np


def encode_vector(vector: np.ndarray) -> str:
    """A float32 vector as base64 of its little-endian bytes."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def decode_vector(text: str) -> np.ndarray:
    """The vector that `encode_vector` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f4")
