"""``dtst review``: a page on this machine on which the clusters are decided."""

import sys
import webbrowser
from contextlib import chdir
from pathlib import Path

import click

from dtst_flow.cli import signals
from dtst_flow.cli.help import EXAMPLES, Command
from dtst_flow.cli.settings import buckets, in_dataset, json_flag
from dtst_flow.utils.files import to_json

PIP = "pip install 'dtst-flow[review]'"

START = "from dtst_flow.cli.start import start; start()"

DTST = [sys.executable, "-P", "-c", START]
"""The words that start this dtst; no module of a dataset's folder is loaded."""


@click.command(cls=Command, examples=EXAMPLES["review"])
@in_dataset
@click.option(
    "--cluster",
    "bucket",
    default="cluster",
    shell_complete=buckets,
    help="Folder in it that holds the clusters.  [default: cluster]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on this machine to serve at.  [default: any that is free]",
)
@click.option(
    "--browser/--no-browser",
    default=True,
    help="Open the page.  [default: --browser]",
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
    try:
        from dtst_flow.review import server
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise click.ClickException(
            f"the review needs {error.name}, which is not installed: {PIP}"
        ) from error
    from dtst_flow.report import NoResult

    def begun(address: str) -> None:
        if as_json:
            click.echo(to_json({"address": address}))
        else:
            click.echo(address)
            click.echo("Ctrl-C ends it; what was decided is in labels.csv", err=True)
        if browser:
            webbrowser.open(address)

    try:
        listener = server.listen(port)
    except OSError as error:
        raise click.ClickException(
            f"port {port} cannot be served at: {error.strerror}; choose another --port"
        ) from error
    with chdir(folder), listener:
        try:
            server.serve(bucket, listener, DTST, begun)
        except NoResult as error:
            raise click.ClickException(str(error)) from error
        except signals.Ended:
            raise
        except KeyboardInterrupt:
            pass  # the way to end it
