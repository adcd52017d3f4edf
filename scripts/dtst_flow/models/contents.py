"""What a file of weights says of itself, read in milliseconds and by no library.

Of an ONNX model, a protocol buffer, only the graph's inputs and outputs are decoded, so that
a model of any size is known before a run begins (onnx takes a third of a second to load,
and every byte of the model). Nothing that a file holds is called.
"""

import json
import mmap
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dtst_flow.models.errors import ModelError
from dtst_flow.utils.files import open_regular

ONNX = "an ONNX model"
SAFETENSORS = "a safetensors file"
CHECKPOINT = "a PyTorch checkpoint"
OLD_CHECKPOINT = "a PyTorch checkpoint in the format of before 1.6"
SCRIPT = "a TorchScript model"
ARCHIVE = "a zip archive"
DLIB_5 = "dlib's predictor of 5 landmarks"
DLIB_68 = "dlib's predictor of 68 landmarks"
DLIB_FACES = "dlib's network that finds faces"
DLIB_METRIC = "dlib's network that compares faces"
UNKNOWN = "no file of weights that is known"

HEADS = {
    b"\x01\x01\x81\x0a\x81\x01": DLIB_5,
    b"\x01\x01\x81\x88\x81\x01": DLIB_68,
    b"\x01\x01\x01\x0aloss_mmod_": DLIB_FACES,
    b"\x01\x01\x01\x0dloss_metric_2": DLIB_METRIC,
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19": OLD_CHECKPOINT,
}
"""How files begin: dlib's with the version and, of a predictor, minus the number of its
coordinates (`serialize.h`), or the name of the network's loss; PyTorch's with a number."""

TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16"}
"""ONNX's number of a type -> its name."""

MAX_FIELDS = 1_000_000
"""Fields looked at in a protocol buffer, at most; no model has as many."""

MAX_TEXT = 2**24
"""Bytes read of a checkpoint's pickle, at most, and of the header of safetensors."""

MAX_SHOWN = 2
"""Inputs or outputs that are spelled out in a message."""

Place = tuple[int, int]
"""Where something begins and ends in a file."""

LENGTHS = {1: 8, 5: 4}
"""A protocol buffer's kind of field -> bytes of its value, where these are fixed."""


FAULTS = (
    ValueError,
    TypeError,
    RuntimeError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What damaged or foreign files make of reading them."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        type: Its type, such as "float32".
        shape: Its sizes, None for one that may vary.
    """

    type: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        """Return both as NumPy shows them, with ? for sizes that may vary."""
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.type} ({sizes})"


@dataclass(frozen=True)
class Contents:
    """What a file says of itself.

    Attributes:
        format: One of the formats above.
        inputs: What an ONNX model takes.
        outputs: What it gives.
        told: The metadata that it brings along.
        names: The tensors of safetensors, or the members of an archive.
        pickled: The beginning of a checkpoint's pickle.
    """

    format: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    pickled: bytes = b""

    def __str__(self) -> str:
        """Return the format in words, of an ONNX model with inputs and outputs."""
        if self.format != ONNX:
            return self.format
        return f"{ONNX}, {_listed(self.inputs)} -> {_listed(self.outputs)}"


def read(path: Path) -> Contents:
    """Look at a file of weights.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        with open_regular(path) as file:
            head = file.read(MAX_TEXT)
            for known, kind in HEADS.items():
                if head.startswith(known):
                    pickled = head if kind == OLD_CHECKPOINT else b""
                    return Contents(kind, pickled=pickled)
            if zipfile.is_zipfile(file):
                return _archive(path)
            if head[8:9] == b"{":
                return _safetensors(head)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _onnx(content)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    except FAULTS:
        return Contents(UNKNOWN)


def _listed(tensors: tuple[Tensor, ...]) -> str:
    shown = ", ".join(map(str, tensors[:MAX_SHOWN]))
    more = len(tensors) - MAX_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown or "nothing"


def _archive(path: Path) -> Contents:
    """Look at a zip archive, which newer checkpoints are."""
    with zipfile.ZipFile(path) as archive:
        names = frozenset(archive.namelist())
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if not pickles:
            return Contents(ARCHIVE, names=names)
        if any(name.endswith("/constants.pkl") for name in names):
            return Contents(SCRIPT)
        with archive.open(pickles[0]) as file:
            return Contents(CHECKPOINT, pickled=file.read(MAX_TEXT))


def _safetensors(head: bytes) -> Contents:
    length = int.from_bytes(head[:8], "little")
    header = json.loads(head[8 : 8 + length])
    return Contents(SAFETENSORS, names=frozenset(header))


def _onnx(content: mmap.mmap) -> Contents:
    """Look at an ONNX model; the numbers are those of its fields in `onnx.proto`."""
    whole = 0, len(content)
    outputs = tuple(_tensor(content, at) for at in _nested(content, whole, 7, 12))
    if not outputs:
        raise ValueError("no outputs")
    # Older models list their constants among the inputs.
    constants = {_text(content, at, 8) for at in _nested(content, whole, 7, 5)}
    inputs = tuple(
        _tensor(content, at)
        for at in _nested(content, whole, 7, 11)
        if _text(content, at, 1) not in constants
    )
    entries = _nested(content, whole, 14)
    told = {_text(content, at, 1): _text(content, at, 2) for at in entries}
    return Contents(ONNX, inputs, outputs, told)


def _fields(content: mmap.mmap, place: Place, kind: int) -> Iterator[tuple[int, Place]]:
    """Yield the fields of a protocol buffer that are of one kind.

    Args:
        content: The file.
        place: Where the buffer begins and ends in it.
        kind: 0 for integers, 2 for texts and messages.

    Yields:
        The number of each, and where its value is.

    Raises:
        ValueError: It is no protocol buffer.
    """
    at, end = place
    for _ in range(MAX_FIELDS):
        if at == end:
            return
        key, at = _integer(content, (at, end))
        length = LENGTHS.get(key & 7)
        if key & 7 == 0:
            length = _integer(content, (at, end))[1] - at
        elif key & 7 == 2:
            length, at = _integer(content, (at, end))
        if key < 8 or length is None or at + length > end:
            break
        if key & 7 == kind:
            yield key >> 3, (at, at + length)
        at += length
    raise ValueError("no protocol buffer")


def _integer(content: mmap.mmap, place: Place) -> tuple[int, int]:
    """Decode an integer; returns it and where it ends. Raises ValueError."""
    value, (start, end) = 0, place
    for i, byte in enumerate(content[start : min(end, start + 10)]):
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, start + i + 1
    raise ValueError("no integer")


def _nested(content: mmap.mmap, place: Place, *path: int) -> Iterator[Place]:
    """Yield where messages within messages are, by the numbers of their fields."""
    if not path:
        yield place
        return
    for number, inner in _fields(content, place, 2):
        if number == path[0]:
            yield from _nested(content, inner, *path[1:])


def _text(content: mmap.mmap, place: Place, wanted: int) -> str:
    """Return a text among the fields of a message, by its number."""
    return next(
        (content[slice(*at)].decode() for at in _nested(content, place, wanted)), ""
    )


def _number(content: mmap.mmap, place: Place) -> int:
    """Return the integer that is field 1 of a message, 0 where it has none."""
    for number, at in _fields(content, place, 0):
        if number == 1:
            return _integer(content, at)[0]
    return 0


def _tensor(content: mmap.mmap, place: Place) -> Tensor:
    """Decode a ValueInfoProto; one that is no tensor has neither type nor sizes."""
    kind, shape = 0, []
    for tensor in _nested(content, place, 2, 1):
        kind = _number(content, tensor)
        shape = [_number(content, at) or None for at in _nested(content, tensor, 2, 1)]
    return Tensor(TYPES.get(kind, f"type {kind}"), tuple(shape))
