"""``dtst labels``: what the user knows better about clusters, line by line."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtst_flow.cli.help import EXAMPLES, Command, Group
from dtst_flow.cli.settings import in_bucket, in_dataset, json_flag
from dtst_flow.dataset.state import STATE, state_of
from dtst_flow.utils.files import to_json
from dtst_flow.utils.tables import BrokenTable
from dtst_flow.utils.text import printable

if TYPE_CHECKING:  # they load NumPy, which takes a moment
    from dtst_flow.cluster.meaning import Constraints, Reading
    from dtst_flow.stages.adoption import Adoption

ADOPT = click.Option(
    ["--adopt"],
    is_flag=True,
    help="First write what you did by hand among the clusters to labels.csv, as dtst "
    "labels adopt does; with -n only show it.",
)
"""The option of commands that cluster."""


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


@labels.command("adopt", cls=Command, examples=EXAMPLES["labels adopt"])
@in_dataset
@in_bucket
@click.option(
    "-n", "--dry-run", is_flag=True, help="Only show the lines that would be written."
)
@click.option(
    "--forget",
    is_flag=True,
    help="Forget instead what was deleted or moved by hand and put back since.",
)
@json_flag
def adopt_by_hand(
    working_dir: str, bucket: str, dry_run: bool, forget: bool, as_json: bool
) -> None:
    """Turn what you did by hand in the folders into lines of labels.csv.

    Files moved to another folder of clusters, to a new one, to noise or rejected; files
    and folders deleted; folders renamed; and crops deleted from where they were made.
    """
    from dtst_flow.stages import adoption

    folder = Path(working_dir)
    with _held(folder, bucket, dry_run):
        if forget:
            count = adoption.forget(bucket, not dry_run)
        else:
            adopted = adoption.adopt(bucket, not dry_run)
    if forget:
        click.echo(f"{count} changes by hand {'would be ' * dry_run}forgotten")
        return
    if as_json:
        click.echo(to_json(asdict(adopted), indent=2))
        return
    for line in sentences(adopted, bucket, dry_run):
        click.echo(printable(line))


def adopt_first(dataset: Path, bucket: str, dry_run: bool) -> list[str]:
    """Adopt what was done by hand before a run; returns what to tell of it.

    Raises:
        click.ClickException: A run is at work there, or labels.csv cannot be written to.
    """
    from dtst_flow.dataset.cluster_list import FILE
    from dtst_flow.stages import adoption

    state = dataset / state_of(bucket)
    if not ((dataset / bucket / FILE).exists() and (state / "embeddings").is_dir()):
        return []
    with _held(dataset, bucket, dry_run):
        adopted = adoption.adopt(bucket, not dry_run)
    return list(sentences(adopted, bucket, dry_run)) if adopted.done else []


def sentences(adopted: "Adoption", bucket: str, dry_run: bool) -> Iterator[str]:
    """Yield what was or would be adopted, line by line."""
    from dtst_flow.cluster.label_file import FILE, text_of

    if not adopted.done:
        yield "nothing was done by hand since the last run"
        return
    yield from adopted.done
    if not (adopted.add or adopted.remove):
        yield f"{bucket}/{FILE} says so already"
        return
    verb = "would be written" if dry_run else "were written"
    yield f"these lines {verb} to {bucket}/{FILE} (+) or taken out (-):"
    for sign, lines in (("-", adopted.remove), ("+", adopted.add)):
        for cells in lines:
            yield f"{sign} {text_of(cells)}"


@contextmanager
def _held(folder: Path, bucket: str, dry_run: bool = False) -> Iterator[None]:
    """Work in a dataset folder, alone if anything is written.

    Raises:
        click.ClickException: A run is at work there, or there was none.
    """
    from dtst_flow.cluster.label_file import LabelsRefused
    from dtst_flow.runtime import run_lock

    def tell(sentence: str) -> None:
        click.echo(sentence, err=True)

    try:
        with ExitStack() as stack:
            if not dry_run and folder.is_dir() and (folder / STATE).is_dir():
                stack.enter_context(run_lock.held(folder, False, tell))
            stack.enter_context(chdir(folder))
            yield
    except (BrokenTable, LabelsRefused, run_lock.DatasetBusy) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"no run has clustered into {folder / bucket} yet; dtst cluster does"
        ) from error


def read(working_dir: str, bucket: str) -> tuple[list[str], "Constraints"]:
    """Read the labels of a bucket.

    Returns:
        The names of its images, and what the labels say of them.

    Raises:
        click.ClickException: No run has clustered.
    """
    from dtst_flow.stages import user_labels

    with _held(Path(working_dir), bucket, dry_run=True):
        rows, known = user_labels.read_again(bucket)
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
    from dtst_flow.cluster.meaning import IN_FORCE

    label = reading.label
    images = max(map(len, reading.rows), default=0)
    of = f" ({images} images)" if images > 1 else ""
    does = [IN_FORCE] if reading.state == IN_FORCE else []
    line = ",".join(label.cells)
    return f"line {label.number}, {line}{of}: {', '.join([*does, *reading.said])}"


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
