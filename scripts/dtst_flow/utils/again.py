"""What is too much to hold in memory, and so is read as often as it is gone through."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Again(Iterable[T], Generic[T]):
    """Items that are made anew whenever they are gone through.

    Args:
        make: Returns an iterator over them.
    """

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[T]:
        return self._make()
