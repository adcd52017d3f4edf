"""Weights in the format of safetensors."""

import json

import numpy as np


def safetensors(tensors: dict[str, np.ndarray], dtype: str = "F32") -> bytes:
    """Write the format down, as its description says."""
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        end = len(body) + tensor.nbytes
        header[name] = {
            "dtype": dtype,
            "shape": tensor.shape,
            "data_offsets": [len(body), end],
        }
        body += tensor.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body
