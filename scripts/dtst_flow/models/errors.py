"""What can be wrong with model weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dtst_flow.utils import pace


class ModelError(Exception):
    """A model cannot be found or used; the message says why and what to do."""


class ModelMissing(ModelError):
    """Its file is in none of the places where it may be."""


class WrongContent(ModelError):
    """A file has its name but other content."""


class BadModel(ModelError):
    """A file is not a model of its kind; the message names it and says why."""


@contextmanager
def loading(weights: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library raises when it loads a model file into a BadModel.

    Args:
        weights: The file.
        kind: What the file should be, in a few words.

    Raises:
        BadModel: A library could not load the file.
        ModelError: As raised within.
    """
    try:
        with pace.loading():
            yield
    except ModelError:
        raise
    except Exception as error:  # for an unknown file, libraries raise any type
        fault = str(error).partition("\n")[0] or type(error).__name__
        raise BadModel(f"{weights} cannot be loaded as {kind}: {fault}") from error
