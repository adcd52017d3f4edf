"""``dtst review``: a page on this machine on which the clusters are decided."""

import os
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import ModuleType

import click

from dtst_flow.cli import signals
from dtst_flow.cli.console import Refused
from dtst_flow.cli.help import EXAMPLES, Command
from dtst_flow.cli.settings import in_bucket, in_dataset, json_flag
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.state import StateGone
from dtst_flow.utils.files import to_json

PACKAGES = ("starlette", "uvicorn")
"""What the extra brings."""

PIP = "pip install starlette uvicorn"

START = "from dtst_flow.cli.start import start; start()"

DTST = [sys.executable, "-P", "-c", START]
"""The words that start this dtst; no module of a dataset's folder is loaded."""


@click.command(cls=Command, examples=EXAMPLES["review"])
@in_dataset
@in_bucket
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on this machine to serve at.  [default: any that is free]",
)
@click.option(
    "--browser/--no-browser",
    default=True,
    help="Open the page where there is a screen.  [default: --browser]",
)
@json_flag
def review(
    working_dir: str, bucket: str, port: int, browser: bool, as_json: bool
) -> None:
    """Decide about the clusters on a page: merge, name, move, reject.

    It is served on this machine only, to whoever has the address, until Ctrl-C. Each
    decision is a line of labels.csv at once; Apply on the page clusters anew with them.
    """
    folder = Path(working_dir)
    if not folder.is_dir():
        raise click.UsageError(
            f"there is no dataset folder {folder}; name another one with -d"
        )
    server = _server()

    def begun(address: str) -> None:
        if as_json:
            click.echo(to_json({"address": address}))
            return
        click.echo(address)
        click.echo("Ctrl-C ends it; what was decided is in labels.csv", err=True)
        if browser and _has_screen():
            webbrowser.open(address)

    try:
        listener = server.listen(port)
    except OSError as error:
        raise click.ClickException(
            f"port {port} cannot be served at: {error.strerror}; choose another --port"
        ) from error
    with chdir(folder), listener, _refusing(folder):
        server.serve(bucket, listener, DTST, begun)


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Turn errors into sentences; Ctrl-C is the way to end a server, and no error."""
    from dtst_flow.report import NoResult
    from dtst_flow.review.actions import CannotBeDone

    try:
        yield
    except (BadBucket, StateGone) as error:
        raise Refused(str(error)) from error
    except (CannotBeDone, NoResult) as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:  # nobody reads the address
        raise
    except OSError as error:
        told = f"{error.filename or folder}: {error.strerror or error}"
        raise click.ClickException(told) from error
    except KeyboardInterrupt as error:
        if signals.exit_code(error) != 128 + signal.SIGINT:
            raise


def _server() -> ModuleType:
    """The module that serves. Raises click.ClickException without the extra."""
    try:
        from dtst_flow.review import server
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        raise click.ClickException(
            f"dtst review needs {error.name}, which is not installed: {PIP}"
        ) from error
    return server


def _has_screen() -> bool:
    """Whether a browser would open a window; others would take the terminal."""
    if sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
