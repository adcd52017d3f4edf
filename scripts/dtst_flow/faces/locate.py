"""Points for faces that come without, as in crops of other programs."""

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from dtst_flow.cache.code_version import code_version
from dtst_flow.faces import engines
from dtst_flow.faces.base import Engine
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError, ModelMissing
from dtst_flow.models.store import Weights
from dtst_flow.utils.array_types import Pixels, Vectors

FINDERS = (("mediapipe", "dlib"), ("yunet", "dlib"))
"""The engines to ask in turn: of each pair the first whose model is at hand, as dlib's is.

MediaPipe, without its search for small faces, is the fastest and closest: 9 ms a crop of any
size, where dlib takes 23 for 170 pixels, the more the larger it is. In 524 crops of known
people it finds no face in 3, dlib in 8; embeddings are half as far from those by the crops'
own points (mean cosine distance .011 beside .020; YuNet's .045). What it does not see, such
as the small faces of whole photos, YuNet does, in all of these crops, and faster than dlib.
Clusters are as good as by any one, with a BCubed F of .965 (tests/benchmarks/crop_points.py).
"""


class Finder(NamedTuple):
    """An engine and the weights of its model."""

    engine: str
    weights: Weights

    @property
    def module(self) -> ModuleType:
        """The engine's module."""
        return engines.module_of(self.engine)

    def open(self) -> Engine:
        """Load the engine."""
        return engines.open_engine(self.engine, [self.weights.path])


def model_of(engine: str) -> str:
    """Return the one model that an engine of FINDERS needs, by its name in the registry."""
    return engines.models_of(engine, search=False)[0]


def engines_at_hand() -> list[str]:
    """Return the engines to ask, by models that are here, be they as registered or not."""
    asked = (
        next((engine for engine in pair if not _is_missing(model_of(engine))), None)
        for pair in FINDERS
    )
    return [engine for engine in dict.fromkeys(asked) if engine]


def at_hand() -> list[Finder]:
    """Return the finders to ask in turn, by the models on this machine.

    Raises:
        ModelError: A model's file has other content than registered.
    """
    return list(map(finder, engines_at_hand()))


def finder(engine: str) -> Finder:
    """Return an engine with its model. Raises ModelError."""
    return Finder(engine, store.resolve(model_of(engine)))


def _is_missing(model: str) -> bool:
    try:
        store.resolve(model)
    except ModelError as error:
        return isinstance(error, ModelMissing)
    return False


def identity(finders: Sequence[Finder]) -> list[list[str]]:
    """Name what the points depend on that finders give."""
    return [
        [one.engine, one.weights.digest, code_version(one.module)] for one in finders
    ]


class Locator:
    """Places points, by engines that are loaded when they are first asked.

    Args:
        finders: The engines, in the order in which they are asked.
    """

    def __init__(self, finders: Sequence[Finder]):
        self._finders = finders
        self._open: dict[str, Engine] = {}

    def points(self, image: Pixels) -> Vectors | None:
        """Return the five points of the largest face that the first engine finds.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            (5, 2) float32 as in `Face.points`; None where no engine finds a face.
        """
        for finder in self._finders:
            if finder.engine not in self._open:
                self._open[finder.engine] = finder.open()
            if faces := self._open[finder.engine].find(image):
                largest = max(faces, key=lambda face: face.area)
                return np.array(largest.points, np.float32)
        return None

    def close(self) -> None:
        """Free the engines."""
        for engine in self._open.values():
            engine.close()
