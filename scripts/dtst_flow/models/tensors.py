"""Reading PyTorch's weights files without PyTorch: names in, NumPy arrays out."""

import collections
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.models.errors import ModelError
from dtst_flow.utils.files import open_regular

Tensors = dict[str, NDArray[np.float32]]
"""Name of a tensor -> the tensor."""

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
    """Where a tensor is in a file.

    Attributes:
        storage: Key of its storage.
        start: Index of its first element in the storage.
        shape: Elements along each axis.
        strides: Elements from one to the next along each axis.
    """

    storage: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, content: bytes, dtype: np.dtype[Any]) -> NDArray[np.float32]:
        """Copy the tensor into a contiguous array.

        Args:
            content: The bytes of its storage.
            dtype: The type of the storage's elements.

        Raises:
            TypeError: The tensor reaches outside of its storage.
            ValueError: Likewise.
        """
        size = dtype.itemsize
        strides = [step * size for step in self.strides]
        view = np.ndarray(self.shape, dtype, content, self.start * size, strides)
        return np.array(view, np.float32, order="C")


def read_pth(path: Path) -> Tensors:
    """Read a state dict that PyTorch saved before version 1.6: one stream of pickles.

    Nothing that the file names is called.

    Raises:
        BadWeights: The file is not such a state dict.
    """
    try:
        with open_regular(path) as file:
            return _state_dict(file)
    except (pickle.UnpicklingError, EOFError, TypeError, ValueError) as error:
        raise BadWeights(f"{path} holds no weights that can be read: {error}") from None


def read_safetensors(path: Path, prefix: str = "") -> Tensors:
    """Read the tensors of a safetensors file whose names start with `prefix`.

    The format (github.com/huggingface/safetensors): eight bytes for the length of a
    JSON header, the header, the tensors' bytes.

    Returns:
        The tensors by the rest of their names.

    Raises:
        BadWeights: The file is not such a file.
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


def _safe_tensor(
    content: NDArray[np.uint8], entry: dict[str, Any]
) -> NDArray[np.float32]:
    """Read one tensor.

    Args:
        content: The bytes of all tensors.
        entry: What the header says of the tensor: {dtype, shape, data_offsets}.
    """
    begin, end = entry["data_offsets"]
    flat: NDArray[Any] = content[begin:end].view(SAFE_DTYPES[entry["dtype"]])
    return flat.reshape(entry["shape"]).astype(np.float32)


def _state_dict(file: IO[bytes]) -> Tensors:
    """Read magic number, version, system; then tensors, keys of storages, storages."""
    for _ in range(3):
        _Unpickler(file).load()
    reader = _Unpickler(file)
    tensors: dict[str, Tensor] = reader.load()
    dtypes = {key: np.dtype(name) for key, name in reader.dtypes.items()}
    contents: dict[str, bytes] = {}
    for key in _Unpickler(file).load():
        elements = int.from_bytes(file.read(8), "little")
        contents[key] = file.read(elements * dtypes[key].itemsize)
    return {
        name: tensor.array(contents[tensor.storage], dtypes[tensor.storage])
        for name, tensor in tensors.items()
    }


class _Unpickler(pickle.Unpickler):
    """Unpickles state dicts and nothing else.

    Attributes:
        dtypes: Key of a storage -> the type of its elements, of all storages until now.
    """

    def __init__(self, file: IO[bytes]):
        super().__init__(file)
        self.dtypes: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, start, shape, strides, *_: Tensor(
                storage, start, shape, strides
            )
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it calls {module}.{name}")

    def persistent_load(self, pid: tuple[Any, ...]) -> str:
        dtype: str
        key: str
        _, dtype, key, *_ = pid
        self.dtypes[key] = dtype
        return key
