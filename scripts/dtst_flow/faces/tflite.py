"""Running the TFLite models of MediaPipe's bundles: by LiteRT, or by MediaPipe itself.

LiteRT is a tenth of MediaPipe's size and asks for no desktop library. MediaPipe serves
where LiteRT has no wheel, as on macOS 11 or the newest Python.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from dtst_flow.faces.detection import Floats
from dtst_flow.utils.array_types import Pixels

RUNNER = "ai_edge_litert" if find_spec("ai_edge_litert") else "mediapipe"
"""The package that runs models here."""


class Model(Protocol):
    """A TFLite model of one image."""

    def __call__(self, pixels: Pixels) -> list[Floats]:
        """Return its outputs, flat, in the model's order.

        Args:
            pixels: (side, side, 3) uint8 RGB, of the side that the model takes.
        """

    def close(self) -> None:
        """Free the model."""


def open_model(content: bytes, zero: float, scale: float) -> Model:
    """Load a model.

    Args:
        content: Of its file.
        zero: The value of a colour, 0 to 255, that the model takes as 0.
        scale: How many such values make 1 for the model.
    """
    if RUNNER == "mediapipe":
        return Mediapipe(content)
    return LiteRT(content, zero, scale)


class LiteRT:
    """A model run by LiteRT on one thread; see `open_model`."""

    def __init__(self, content: bytes, zero: float, scale: float):
        from ai_edge_litert.interpreter import Interpreter

        self._zero, self._scale = np.float32(zero), np.float32(scale)
        with _silenced_stderr():
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._outputs = [o["index"] for o in self._interpreter.get_output_details()]

    def __call__(self, pixels: Pixels) -> list[Floats]:
        """Return the outputs; see `Model`."""
        values = (pixels.astype(np.float32) - self._zero) / self._scale
        self._interpreter.set_tensor(self._input["index"], values[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(i).ravel() for i in self._outputs]

    def close(self) -> None:
        """Free the model."""
        self._interpreter = None


class Mediapipe:
    """A model run by MediaPipe's ImageEmbedder, which returns raw outputs.

    What a model makes of colours it reads in the model's file.
    """

    def __init__(self, content: bytes):
        _keep_from_reporting()
        from mediapipe import Image, ImageFormat
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import ImageEmbedder, ImageEmbedderOptions

        self._image: Callable[[Pixels], Any] = lambda pixels: Image(
            ImageFormat.SRGB, pixels
        )
        options = ImageEmbedderOptions(BaseOptions(model_asset_buffer=content))
        with _silenced_stderr():
            self._task = ImageEmbedder.create_from_options(options)
            # What the graph has to say at its start comes with the first run.
            self(np.zeros((8, 8, 3), np.uint8))

    def __call__(self, pixels: Pixels) -> list[Floats]:
        """Return the outputs; see `Model`."""
        image = self._image(np.ascontiguousarray(pixels))
        return [head.embedding for head in self._task.embed(image).embeddings]

    def close(self) -> None:
        """Free the model."""
        self._task.close()


def _keep_from_reporting() -> None:
    """Keep MediaPipe from telling Google of its use, which no setting of its turns off.

    Its C++ code posts by libcurl, which asks the environment for a proxy: one of a scheme
    that libcurl does not know ends the post before a name is looked up.
    """
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)
    os.environ["https_proxy"] = "off://off"


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Mute the notices of C++ code, which no setting of the libraries turns off."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
