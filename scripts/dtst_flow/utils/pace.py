"""What a worker is at, told to its job, which ends a worker that stays there too long."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

SECONDS = 60.0
"""That an image may take unless another limit is chosen."""

STEP = 10_000_000
"""So many pixels give an image as much time again."""


@dataclass(frozen=True)
class At:
    """What a worker begins with.

    Attributes:
        name: The image; "" for what it cannot name.
        pixels: Those of the image, as its header says.
        images: How many images it works on at once.
    """

    name: str = ""
    pixels: int = 0
    images: int = 1

    def limit(self, seconds: float) -> float:
        """Return how long it may take, in seconds, if a small image may take so many."""
        return seconds * (self.images + self.pixels / STEP)


@dataclass(frozen=True)
class Loading:
    """Whether a worker is loading a model, which does not count."""

    begun: bool


@dataclass(frozen=True)
class Patience:
    """How long a worker may stay at an image.

    Attributes:
        seconds: So long, and as long again for every STEP pixels.
        tell: Called about twice a second with what has taken long until now: image ->
            seconds.
    """

    seconds: float = math.inf
    tell: Callable[[dict[str, float]], object] = lambda slow: None


class _Pace:
    """Whom this process tells; a job that has no worker processes tells nobody."""

    def __init__(self) -> None:
        self.send: Callable[[At | Loading], object] = lambda told: None
        self.lock = Lock()


_PACE = _Pace()


def tell_to(send: Callable[[object], object]) -> Callable[[object], None]:
    """Tell by a function from now on.

    Args:
        send: The function; several threads never call it at once.

    Returns:
        The same for other uses.
    """

    def safely(told: object) -> None:
        with _PACE.lock:
            send(told)

    _PACE.send = safely
    return safely


def at(name: str, pixels: int = 0, images: int = 1) -> None:
    """Tell what this worker begins with, as `At` has it."""
    _PACE.send(At(name, pixels, images))


@contextmanager
def loading() -> Iterator[None]:
    """Tell that a model is being loaded."""
    _PACE.send(Loading(True))
    try:
        yield
    finally:
        _PACE.send(Loading(False))
