"""Reading PyTorch's weights files without PyTorch: names in, NumPy arrays out."""

import collections
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from dtst_flow.models.errors import ModelError

DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
}
"""PyTorch's types of storage -> what their bytes are."""


SAFE_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}
"""The safetensors format's types -> what their bytes are."""


class BadWeights(ModelError):
    """A weights file that cannot be read; the message says why."""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: the key of its storage, and in that, counted in elements,
    its start, shape and strides.
    """

    storage: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, content: bytes, dtype: np.dtype) -> np.ndarray:
        """The tensor as contiguous float32. Raises TypeError or ValueError if it
        reaches outside of its storage's content.
        """
        size = dtype.itemsize
        strides = [step * size for step in self.strides]
        view = np.ndarray(self.shape, dtype, content, self.start * size, strides)
        return np.array(view, np.float32, order="C")


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """Read a state dict that PyTorch saved before version 1.6: one stream of pickles.

    Nothing that the file names is called. Returns float32 arrays. Raises BadWeights.
    """
    try:
        with path.open("rb") as file:
            return _state_dict(file)
    except (pickle.UnpicklingError, EOFError, TypeError, ValueError) as error:
        raise BadWeights(f"{path} holds no weights that can be read: {error}") from None


def read_safetensors(path: Path, prefix: str = "") -> dict[str, np.ndarray]:
    """Read the tensors of a safetensors file whose names start with `prefix`.

    The format (github.com/huggingface/safetensors): eight bytes for the length of a
    JSON header, the header, the tensors' bytes. Returns float32 arrays by the rest of
    their names. Raises BadWeights.
    """
    try:
        content = np.memmap(path, np.uint8, mode="r")
        start = 8 + int.from_bytes(content[:8].tobytes(), "little")
        header = json.loads(content[8:start].tobytes())
        return {
            name.removeprefix(prefix): _safe_tensor(content[start:], entry)
            for name, entry in header.items()
            if name.startswith(prefix) and name != "__metadata__"
        }
    except (KeyError, TypeError, ValueError) as error:
        raise BadWeights(f"{path} holds no weights that can be read: {error}") from None


def _safe_tensor(content: np.ndarray, entry: dict) -> np.ndarray:
    begin, end = entry["data_offsets"]
    flat = content[begin:end].view(SAFE_DTYPES[entry["dtype"]])
    return flat.reshape(entry["shape"]).astype(np.float32)


def _state_dict(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Read magic number, version, system; then tensors, keys of storages, and those."""
    for _ in range(3):
        _Unpickler(file).load()
    reader = _Unpickler(file)
    tensors = reader.load()
    dtypes = {key: np.dtype(name) for key, name in reader.dtypes.items()}
    contents = {}
    for key in _Unpickler(file).load():
        elements = int.from_bytes(file.read(8), "little")
        contents[key] = file.read(elements * dtypes[key].itemsize)
    return {
        name: tensor.array(contents[tensor.storage], dtypes[tensor.storage])
        for name, tensor in tensors.items()
    }


class _Unpickler(pickle.Unpickler):
    """Unpickles state dicts and nothing else; `dtypes` gathers those of the storages."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file)
        self.dtypes: dict[str, str] = {}

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, start, shape, strides, *_: Tensor(
                storage, start, shape, strides
            )
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it calls {module}.{name}")

    def persistent_load(self, pid: tuple) -> str:
        _, dtype, key, *_ = pid
        self.dtypes[key] = dtype
        return key
