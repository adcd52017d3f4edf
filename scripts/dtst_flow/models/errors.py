"""What can be wrong with model weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ModelError(Exception):
    """A model cannot be had; the message says why and what to do."""


class ModelMissing(ModelError):
    """Its file is in none of the places where it may lie."""


class WrongContent(ModelError):
    """A file bears its name but holds something else."""


class BadModel(ModelError):
    """A file that is no model of its kind; the message names it and says why."""


@contextmanager
def loading(weights: Path, kind: str) -> Iterator[None]:
    """Make whatever a library raises at a model file a BadModel.

    kind  what the file is to be, in a few words
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # of files from anywhere, libraries raise any type
        fault = str(error).partition("\n")[0] or type(error).__name__
        raise BadModel(f"{weights} cannot be loaded as {kind}: {fault}") from error
