"""``dtst report``: a page to look at what a clustering found."""

import os
from contextlib import chdir
from pathlib import Path

import click

from dtst_flow.cli.help import EXAMPLES, Command
from dtst_flow.cli.settings import in_bucket, in_dataset, json_flag
from dtst_flow.report import place
from dtst_flow.utils.files import to_json


@click.command(cls=Command, examples=EXAMPLES["report"])
@in_dataset
@in_bucket
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: report-cluster.html in the dataset folder]",
)
@json_flag
def report(working_dir: str, bucket: str, output: Path | None, as_json: bool) -> None:
    """Write a page to look at the clusters: medoids, doubtful members, noise.

    One HTML file with thumbnails, that needs no network and no other file; only its
    links to the originals lead to the dataset.
    """
    folder = Path(working_dir)
    if not folder.is_dir():
        raise click.UsageError(
            f"there is no dataset folder {folder}; name another one with -d"
        )
    from dtst_flow.report import NoResult, page

    output = output or folder / place(bucket)
    target = output.resolve()
    try:
        with chdir(folder):
            page.write(bucket, target, os.cpu_count() or 1)
    except NoResult as error:
        raise click.ClickException(str(error)) from error
    size = target.stat().st_size
    if as_json:
        click.echo(to_json({"path": str(target), "size": size}, indent=2))
    else:
        click.echo(f"{output} ({size / 1e6:.1f} MB)")
