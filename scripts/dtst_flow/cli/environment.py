"""Variables of the environment that dtst reads, also from ``.env`` where the user stands."""

import os
from pathlib import Path

import click

PREFIX = "DTST_"
"""Only these are taken from a file, which may have come along with a folder of photos: it
must not choose what Python or a shell loads.
"""


def read_environment() -> None:
    """Set what ``.env`` says, if it is not set already; make the models' folder absolute.

    Raises:
        click.UsageError: The file cannot be read.
    """
    if Path(".env").is_file():
        from dotenv import dotenv_values

        try:
            for name, value in dotenv_values(".env").items():
                if name.startswith(PREFIX) and value is not None:
                    os.environ.setdefault(name, value)
        except (OSError, ValueError) as error:
            raise click.UsageError(f".env cannot be read: {error}") from error
    if folder := os.environ.get("DTST_MODELS"):  # jobs run in another folder
        os.environ["DTST_MODELS"] = os.path.abspath(os.path.expanduser(folder))
