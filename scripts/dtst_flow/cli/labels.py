"""``dtst labels``: what the user knows better about clusters, line by line."""

from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtst_flow.cli.help import EXAMPLES, Command, Group
from dtst_flow.cli.settings import buckets, in_dataset, json_flag
from dtst_flow.utils.files import to_json
from dtst_flow.utils.tables import BrokenTable
from dtst_flow.utils.text import printable

if TYPE_CHECKING:  # they load NumPy, which takes a moment
    from dtst_flow.cluster.meaning import Constraints, Reading

in_bucket = click.option(
    "--to",
    "bucket",
    default="cluster",
    shell_complete=buckets,
    help="Bucket of clusters.  [default: cluster]",
)


@click.group(cls=Group)
def labels() -> None:
    """What you know better about clusters: labels.csv in their bucket."""


@labels.command("list", cls=Command, examples=EXAMPLES["labels list"])
@in_dataset
@in_bucket
@json_flag
def list_labels(working_dir: str, bucket: str, as_json: bool) -> None:
    """Tell what each line of labels.csv does now."""
    paths, known = read(working_dir, bucket)
    tell(known, known.readings, paths if as_json else None)


@labels.command("check", cls=Command, examples=EXAMPLES["labels check"])
@in_dataset
@in_bucket
@json_flag
@click.pass_context
def check_labels(
    ctx: click.Context, working_dir: str, bucket: str, as_json: bool
) -> None:
    """Tell which lines of labels.csv are not in force, and why.

    Exits with 1 if one never will be: it cannot be read, names what never was, or
    contradicts another. A line whose image is away only waits.
    """
    from dtst_flow.cluster.meaning import CONTRADICTS, IN_FORCE, UNKNOWN

    paths, known = read(working_dir, bucket)
    readings = [r for r in known.readings if r.state != IN_FORCE]
    tell(known, readings, paths if as_json else None)
    bad = {CONTRADICTS, UNKNOWN}
    if known.unread or any(reading.state in bad for reading in known.readings):
        ctx.exit(1)


def read(working_dir: str, bucket: str) -> tuple[list[str], "Constraints"]:
    """Read the labels of a bucket.

    Returns:
        The names of its images, and what the labels say of them.

    Raises:
        click.ClickException: No run has clustered.
    """
    from dtst_flow.stages import user_labels

    folder = Path(working_dir)
    try:
        with chdir(folder):
            rows, known = user_labels.read_again(bucket)
    except BrokenTable as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"no run has clustered into {folder / bucket} yet; dtst cluster does"
        ) from error
    return [row["path"] for row in rows], known


def tell(
    known: "Constraints", readings: list["Reading"], paths: list[str] | None
) -> None:
    """Print some lines, and how many there are in all; as JSON with names of images."""
    if paths is not None:
        content = {
            "lines": [_to_value(reading, paths) for reading in readings],
            "unread": known.unread,
        }
        click.echo(to_json(content, indent=2))
        return
    for line in [*known.unread, *map(_sentence, readings)]:
        click.echo(printable(line))
    count = Counter(reading.state for reading in known.readings)
    states = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
    click.echo(f"{len(known.readings)} lines" + (f": {states}" if states else ""))


def _sentence(reading: "Reading") -> str:
    label = reading.label
    images = max(map(len, reading.rows), default=0)
    of = f" ({images} images)" if images > 1 else ""
    why = f": {'; '.join(reading.said)}" if reading.said else ""
    line = ",".join(label.cells)
    return f"line {label.number}, {line}{of}: {reading.state}{why}"


def _to_value(reading: "Reading", paths: list[str]) -> dict[str, Any]:
    label = reading.label
    return {
        "line": label.number,
        "relation": label.relation,
        "image": label.image,
        "other": label.other,
        "state": reading.state,
        "said": reading.said,
        "images": [[paths[row] for row in rows] for rows in reading.rows],
    }
