"""Variables of the environment that dtst reads, also from ``.env`` where the user stands."""

import io
import os
from pathlib import Path

import click

from dtst_flow.utils.files import NotRegular, read_bytes

PREFIX = "DTST_"
"""Only these are taken from a file, which may have come along with a folder of photos: it
must not choose what Python or a shell loads.
"""


LARGEST = 1 << 20
"""Most bytes of the file."""


def read_environment() -> None:
    """Set what ``.env`` says, if it is not set already; make the models' folder absolute.

    Raises:
        click.UsageError: The file cannot be read.
    """
    if Path(".env").exists():
        try:
            _take(read_bytes(".env", LARGEST).decode())
        except NotRegular:
            click.echo("note: .env is no file and was skipped", err=True)
        except (OSError, ValueError) as error:
            raise click.UsageError(f".env cannot be read: {error}") from error
    if folder := os.environ.get("DTST_MODELS"):  # jobs run in another folder
        os.environ["DTST_MODELS"] = os.path.abspath(os.path.expanduser(folder))


def _take(text: str) -> None:
    from dotenv import dotenv_values

    for name, value in dotenv_values(stream=io.StringIO(text)).items():
        if name.startswith(PREFIX) and value is not None:
            os.environ.setdefault(name, value)
